"""The style and the script of the HTML report. The script only tells the values under the pointer; without it nothing is missing."""

STYLE = """
:root{--back:#fbfbfa;--card:#fff;--ink:#1b1f24;--soft:#5c6670;--rule:#dfe3e6;--one:#0b62a8;--two:#b45309;--three:#6d4aa8;
  --gain:#137a4b;--loss:#b3261e;--warn:#fff4d6;--warnink:#5a4100}
@media(prefers-color-scheme:dark){
  :root{--back:#101418;--card:#181d23;--ink:#e6e9ec;--soft:#9aa5af;--rule:#2b323a;--one:#6db3f2;--two:#f0a35c;--three:#b89cf0;
    --gain:#5cc98f;--loss:#f2857c;--warn:#3a2f10;--warnink:#f4dfa0}
}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1400px;margin:0 auto;padding:20px 16px 48px;display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px;
  grid-auto-flow:dense}
header,.warnings,.cards,.plots,.wide{grid-column:1/-1}
h1{font-size:22px;margin:0 0 6px}
h2{font-size:16px;margin:0 0 8px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 16px;margin:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
code{font:13px/1.5 ui-monospace,monospace}
.label{display:inline-block;margin:0 0 10px;padding:3px 10px;border:1px dashed var(--two);border-radius:4px;color:var(--two);
  font-weight:600}
section{min-width:0}
.warnings{background:var(--warn);color:var(--warnink);border-radius:8px;padding:12px 16px}
.warnings ul{margin:0;padding-left:18px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px;display:flex;flex-direction:column}
.card span,.card small{color:var(--soft);font-size:13px}
.card b{font-size:20px;font-variant-numeric:tabular-nums}
.plots{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px}
.plot{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 14px 8px;position:relative;
  min-width:0}
.plots .plot:first-child{grid-column:1/-1}
figcaption{font-weight:600;display:flex;flex-wrap:wrap;gap:4px 14px;margin-bottom:12px}
figcaption output{margin-left:auto;font-weight:400;font-variant-numeric:tabular-nums;color:var(--soft)}
.legend{font-weight:400;font-size:13px;display:flex;flex-wrap:wrap;gap:4px 14px}
.legend span::before{content:"";display:inline-block;width:12px;height:3px;margin-right:5px;vertical-align:middle;
  background:currentColor}
.strip+.legend{margin-top:6px}
.frame{position:relative;padding-left:74px}
.frame svg{display:block;width:100%;height:200px;overflow:visible}
.plots .plot:first-child svg{height:260px}
.ticks{position:absolute;left:0;top:0;bottom:0;width:68px}
.ticks span{position:absolute;right:0;transform:translateY(50%);font-size:12px;line-height:1;color:var(--soft);
  font-variant-numeric:tabular-nums;white-space:nowrap}
.dates{position:relative;height:18px;margin:4px 0 0 74px}
.dates span{position:absolute;transform:translateX(-50%);font-size:12px;color:var(--soft);white-space:nowrap}
.dates .k0{transform:none}
.dates .k4{transform:translateX(-100%)}
svg .one,svg .two,svg .three,svg .loss,svg .gain,svg .even{vector-effect:non-scaling-stroke}
polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}
polyline.one{stroke:var(--one)}
polyline.two{stroke:var(--two)}
polyline.loss{stroke:var(--loss)}
.area{stroke:none;opacity:.22}
.area.loss{fill:var(--loss)}
rect.one{fill:var(--one)}
rect.two{fill:var(--two)}
rect.three{fill:var(--three)}
rect.loss{fill:var(--loss)}
rect.gain{fill:var(--gain)}
rect.even{fill:var(--soft)}
span.one{color:var(--one)}
span.two{color:var(--two)}
span.three{color:var(--three)}
.grid{stroke:var(--rule);vector-effect:non-scaling-stroke}
.grid.zero{stroke:var(--soft)}
.cross{stroke:var(--soft);stroke-dasharray:3 3;vector-effect:non-scaling-stroke;visibility:hidden}
.strip{display:block;width:100%;height:22px}
.scroll{overflow-x:auto;max-height:560px;overflow-y:auto;border:1px solid var(--rule);border-radius:8px;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:5px 12px;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap}
td:last-child{white-space:normal;min-width:13em}
tbody tr:last-child td{border-bottom:0}
th{position:sticky;top:0;background:var(--card);color:var(--soft);font-size:12px;font-weight:600}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap!important;min-width:0!important}
.up{color:var(--gain)}
.down{color:var(--loss)}
.note{color:var(--soft);font-size:13px;margin:6px 2px 0}
section .plot{margin-bottom:10px}
@media(max-width:760px){
  main,.plots{grid-template-columns:minmax(0,1fr)}
  .cards{grid-template-columns:repeat(2,minmax(0,1fr))}
  .card b{font-size:18px}
  .dates .k1,.dates .k3{display:none}
  figcaption output{flex-basis:100%;margin-left:0;min-height:1.5em}
  dl{grid-template-columns:1fr}
  dt{margin-top:6px}
  .frame{padding-left:62px}
  .ticks{width:56px}
  .dates{margin-left:62px}
  th,td{padding:5px 9px}
}
@media print{
  .scroll{max-height:none}
}
"""

SCRIPT = """
for(const figure of document.querySelectorAll('[data-points]')){
const data=JSON.parse(figure.dataset.points),svg=figure.querySelector('svg');
const out=figure.querySelector('output'),cross=figure.querySelector('.cross');
svg.addEventListener('pointermove',event=>{const box=svg.getBoundingClientRect(),at=(event.clientX-box.left)/box.width;
let low=0,high=data.x.length-1;while(high-low>1){const mid=(low+high)>>1;if(data.x[mid]<at)low=mid;else high=mid}
const i=at-data.x[low]<data.x[high]-at?low:high,row=data.t[i];
out.textContent=row[0]+'  '+row.slice(1).map((v,k)=>data.n.length>1?data.n[k]+' '+v:v).join('  ');
const x=data.x[i]*svg.viewBox.baseVal.width;cross.setAttribute('x1',x);cross.setAttribute('x2',x);cross.style.visibility='visible'});
svg.addEventListener('pointerleave',()=>{out.textContent='';cross.style.visibility='hidden'})}
"""
