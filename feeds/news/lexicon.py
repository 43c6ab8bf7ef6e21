"""The words that move a headline's score, and by how much. Data: phrases in lower case, `_` joins the words of a phrase.

Weights run from -1 to 1 and were set by hand: +-0.9 an event that moves markets by itself, +-0.6 a clear direction,
+-0.3 a leaning. Longer phrases win over the words inside them.
"""

WEIGHTS: dict[float, str] = {
    0.9: """
        all-time_high all-time_highs record_high record_highs new_ath etf_approval etf_approved approves_etf approve_etf approves_spot
        skyrocket skyrockets skyrocketed skyrocketing moon_shot soar soars soared soaring short_squeeze wins_lawsuit wins_case
        record_inflows legal_victory legal_win
    """,
    0.7: """
        surge surges surged surging rally rallies rallied rallying breakout breaks_out jump jumps jumped jumping spike_higher
        explode_higher bull_run bull_market bull_rally parabolic outperform outperforms outperformed outperforming record_profit
        record_profits record_revenue tops_estimates beats_estimates beats_expectations strong_demand net_inflow net_inflows rate_cut
        rate_cuts legal_tender skyrocketing_demand best_performing multi-year_high month_high year_high week_high monthly_high
        yearly_high new_high new_highs hits_high fresh_high highest highest_level highest_since
    """,
    0.6: """
        rise rises rising rose climb climbs climbed climbing gain gains gained gaining rebound rebounds rebounded rebounding recover
        recovers recovered recovering recovery bullish bull bulls optimism optimistic upbeat uptrend upward rises_above back_above
        breaks_above tops surpass surpasses surpassed surpassing crosses hits_record record_breaking boom booms booming boosted
        accumulate accumulates accumulating accumulation inflow inflows approve approves approved approval wins won victory outpace
        outpaces outpaced advances advanced higher up strengthen strengthens strengthened strengthening growth grows grew growing profit
        profits profitable profitability doubles doubled triples tripled quadrupled greenlight green_light milestone leads_gains
        extends_gains all_time_high all_time_highs highs increase increases increased increasing reaches beat beats rising_demand
        reclaim reclaims reclaimed reclaiming resurgence comeback
    """,
    0.4: """
        boost boosts boosting buy buys buying bought bid_up adopt adopts adopted adopting adoption partner partners partnership
        partnerships partnered collaborate collaborates collaboration integrate integrates integrated integration upgrade upgrades
        upgraded expand expands expanded expanding expansion support supports supported backing backs backed embrace embraced innovation
        innovative success successful successfully confident confidence positive strong stronger solid robust resilient resilience
        opportunity opportunities promising momentum demand acquire acquires acquired funding_round secures secured funding
        invests invest invested investment investments stimulus dovish upside uptick improve improves improved improving improvement
        benefit benefits launches_etf files_for_etf etf_filing relief eases_fears fears_ease inflation_cools inflation_eases
        inflation_slows inflation_falls charges_dropped drops_charges dropped_charges drops_lawsuit lawsuit_dropped drops_case
        case_dropped dismisses_lawsuit lawsuit_dismissed case_dismissed dismissed acquitted outflows_slow losses_narrow undervalued
        attract attracts attracted attracting flourish flourishes thrive thrives thriving popular popularity leads leading hopeful hope
        hopes excited exciting healthy accelerate accelerates accelerated award awarded empower empowers enhance enhances enhanced
        enhancing unlock unlocks unlocking stabilize stabilizes stabilized welcome welcomes welcomed milestones better bottomed
        bottoming_out oversold staking_rewards buyback buybacks
    """,
    0.2: """
        launch launches launched launching unveil unveils unveiled introduces introduced announces list lists listed listing offer
        offers offering enable enables allow allows allowing accept accepts accepted accepting debut debuts new hold_steady holds_steady
        stable steady hodl whale_buys added adds adding joins hires license licence licensed legalize legalizes legalized legalise
        pro-crypto crypto-friendly available reward rewards safe secure potential breakthrough above reach good best win eyes target_of
        could_reach poised set_to_rise ready_to_rise
    """,
    -0.2: """
        uncertain uncertainty caution cautious cautions volatile volatility volatility_spikes stagnant sideways flat stall stalls
        stalled struggle struggles struggled struggling question questions questioned doubt doubts delay delays delayed delaying
        postpone postpones postponed slow slows slowed slowing slowdown resistance hesitant mixed scrutiny tax taxes taxed taxation
        unregulated risk risky pressure pressured complaint critic critics criticism criticize criticizes criticized slam slams slammed
        controversy controversial debt inflation hawkish rate_hike rate_hikes hike hikes limit limits limited restrict restricts
        restricted restrictions restriction subpoena subpoenas probe probes probed inquiry regulators hurdle hurdles below fallout
        braced_for stuck rejected_again not_enough tumble_risk test_of
    """,
    -0.4: """
        warn warns warned warning warnings risks concern concerns concerned worry worries worried worrying fear fears feared negative
        weak weaker weakness weaken weakens weakened weakening lower down decline declines declined declining downturn downward downside
        slip slips slipped slipping dip dips dipped dipping ease_off retreat retreats retreated retreating lose loses losing lost loss
        losses selling sell sells sold sell-off selloff sell-offs outflow outflows net_outflow net_outflows ban bans banned banning bar
        barred block blocks blocked suspend suspends suspended suspending suspension halt halts halted halting pause_withdrawals reject
        rejects rejected rejection deny denies denied sue sues sued suing lawsuit lawsuits charge charges charged allege alleges alleged
        allegations accuse accuses accused investigate investigates investigated investigation fine fines fined penalty penalties settle
        settles violation violations violate violates violated crackdown cracks_down crack_down illegal unlawful bearish bear bears
        pessimism pessimistic recession crisis trouble troubled troubles problem problems fail fails failed failing failure threat
        threatens threatened threat_to threats victim victims layoffs lay_off lays_off cuts_jobs job_cuts fires shuts_down shut_down
        shutdown shuts shutting_down closes_down close_down delist delists delisted delisting vulnerability vulnerabilities exposed
        attack attacks attacked attacker attackers terror terrorism sanction sanctions sanctioned money_laundering launder laundered
        laundering arrest arrests arrested jail jailed prison sentenced convicted guilty pleads_guilty seize seizes seized seizure
        freeze freezes froze frozen worst worse bad dead death dies dumps_on underperform underperforms underperformed erase erases
        erased unwind cut cuts downgrade downgrades downgraded headwinds under_pressure misses_estimates insolvent liquidity_crunch
        overvalued overbought death_cross lowest lowest_level lowest_since
        disappointing disappoints disappointed lows sell_off sell_offs blow setback turmoil hurt hurts hit_hard
    """,
    -0.6: """
        fall falls fell falling fallen drop drops dropped dropping slide slides slid sliding sink sinks sank sinking tumble tumbles
        tumbled tumbling slump slumps slumped slumping plunging_prices bear_market sheds shed wipe_out wipes_out wiped_out wiped
        liquidate liquidated liquidation liquidations liquidates exploit exploits exploited exploiter rug_pull rug_pulls scam scams
        scammed scammer scammers fraud frauds fraudulent fraudster ponzi pyramid_scheme phishing ransomware malware stolen steal steals
        stole theft thefts heist default defaults defaulted insolvency depeg depegs depegged depegging loses_peg lost_peg falls_below
        drops_below dips_below slips_below below_key breaks_below fresh_low new_low new_lows month_low year_low week_low monthly_low
        yearly_low low_since record_outflows panic capitulation capitulate contagion bubble criminal criminals crime crimes
        extends_losses biggest_loss record_loss record_losses outage hit_by misled misleading manipulation manipulated bleed bleeds
        bleeding nosedives nosedive dump dumps dumped dumping
    """,
    -0.8: """
        crash crashes crashed crashing collapse collapses collapsed collapsing plunge plunges plunged plunging plummet plummets
        plummeted plummeting crater craters cratered tank tanks tanked tanking freefall free_fall meltdown bloodbath bankrupt bankruptcy
        bankruptcies files_for_bankruptcy chapter_11 hack hacks hacked hacker hackers hacking breach breached embezzle embezzled
        embezzlement implode implodes imploded implosion halts_withdrawals withdrawals_halted freezes_withdrawals suspends_withdrawals
        bank_run death_spiral etf_rejected rejects_etf rejects_spot worthless
    """,
    0.0: """
        fear_and_greed fear_&_greed hard_fork bear_in_mind bull_and_bear not_only tax_season up_to down_to up_for what_s_up sign_up
        signs_up set_up top_up top_gainers hedge_fund risk-free back_up start_up proof_of_reserve wake_up hackathon hacker_house
        white_hat bug_bounty gains_tax capital_gains capital_gains_tax profit_taking up_next made_up follow_up meet_up heads_up end_up
        round_up price_target buy_now how_to_buy best_crypto_to_buy to_buy where_to_buy new_york new_zealand new_delhi new_hampshire
        new_jersey new_year new_years cut_off charge_card sell_by long_term_hold market_close security_token fall_2022 fall_2023
        fall_2024 winter_is_over risk_management fine_art fine-tune block_reward block_height genesis_block blocks_mined building_blocks
        investment_bank investment_firm investment_company investment_advice investment_advisor investment_manager investment_management
        investment_fund investment_strategy support_level resistance_level
    """,
}

NEGATORS = """
    not no never without neither nor cannot can't cant won't wont isn't isnt aren't arent wasn't wasnt doesn't doesnt don't dont
    didn't didnt hasn't hasnt haven't havent shouldn't wouldn't couldn't unlikely hardly barely avoid avoids avoided prevent prevents
    prevented despite fails_to failed_to
"""

DENIALS = "unlikely denied fails failed fades faded stalls stalled postponed"  # right behind a phrase they negate it

INTENSITY: dict[float, str] = {
    1.5: "sharply massive massively huge hugely dramatically extremely steeply steep major record strongly significantly biggest largest",
    1.25: "very big further rapidly deeply highly again heavily",
    0.6: "slightly modestly somewhat mildly little partially marginally briefly minor small",
    0.7: "may might could possibly perhaps if would potentially likely",
}
