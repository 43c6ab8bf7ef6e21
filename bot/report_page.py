"""The style and the script of the HTML report. The script only tells the values under the pointer; without it nothing is missing."""

STYLE = """
:root{--back:#fbfbfa;--card:#fff;--ink:#1b1f24;--soft:#5c6670;--rule:#dfe3e6;--one:#0b62a8;--two:#b45309;--three:#6d4aa8;
  --four:#0f766e;--five:#a3346b;--six:#6b7280;--gain:#137a4b;--loss:#b3261e;--warn:#fff4d6;--warnink:#5a4100}
@media(prefers-color-scheme:dark){
  :root{--back:#101418;--card:#181d23;--ink:#e6e9ec;--soft:#9aa5af;--rule:#2b323a;--one:#6db3f2;--two:#f0a35c;--three:#b89cf0;
    --four:#4fc3b5;--five:#e58ab5;--six:#9aa5af;--gain:#5cc98f;--loss:#f2857c;--warn:#3a2f10;--warnink:#f4dfa0}
}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:anywhere;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
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
.cards{display:grid;grid-template-columns:repeat(6,minmax(0,1fr));gap:10px}
.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px;display:flex;flex-direction:column}
.card span,.card small{color:var(--soft);font-size:13px}
.card b{font-size:20px;font-variant-numeric:tabular-nums}
.plots{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px}
.plot{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 14px 8px;position:relative;
  min-width:0}
.full{grid-column:1/-1;min-width:0}
.full .plot{--tall:280px}
figcaption{font-weight:600;display:flex;flex-wrap:wrap;gap:4px 14px;margin-bottom:12px}
figcaption>*{min-width:0}
figcaption output{margin-left:auto;font-weight:400;font-variant-numeric:tabular-nums;color:var(--soft)}
.legend{font-weight:400;font-size:13px;display:flex;flex-wrap:wrap;gap:4px 14px}
.legend span::before{content:"";display:inline-block;width:12px;height:3px;margin-right:5px;vertical-align:middle;
  background:currentColor}
.strip+.legend{margin-top:6px}
.plot{--tall:200px}
.frame{position:relative;padding-left:74px}
.pan{overflow-x:auto;overflow-y:hidden;padding:6px 0;margin:-6px 0}
.sheet{position:relative;width:100%}
.main{display:block;width:100%;height:var(--tall);overflow:visible}
.marks{position:absolute;left:0;top:0;width:100%;height:var(--tall);overflow:visible;pointer-events:none}
.held{display:block;width:100%;height:44px;margin-top:8px}
.defs{position:absolute}
.ticks{position:absolute;left:0;top:0;height:var(--tall);width:68px}
.ticks span{position:absolute;right:0;transform:translateY(50%);font-size:12px;line-height:1;color:var(--soft);
  font-variant-numeric:tabular-nums;white-space:nowrap}
.dates{position:relative;height:18px;margin:4px 0 0}
.dates span{position:absolute;transform:translateX(-50%);font-size:12px;color:var(--soft);white-space:nowrap}
.dates .k0{transform:none}
.dates .k4{transform:translateX(-100%)}
polyline{vector-effect:non-scaling-stroke}
polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}
polyline.one{stroke:var(--one)}
polyline.two{stroke:var(--two)}
polyline.three{stroke:var(--three)}
polyline.three{stroke:var(--three)}
polyline.four{stroke:var(--four)}
polyline.five{stroke:var(--five)}
polyline.six{stroke:var(--six)}
polyline.gain{stroke:var(--gain)}
polyline.loss{stroke:var(--loss)}
polyline.price{stroke:var(--ink);stroke-width:1.1;opacity:.75;vector-effect:non-scaling-stroke}
.area.range{fill:var(--soft);opacity:.25}
use{stroke-width:1.6;stroke:var(--card)}
use.long{fill:var(--gain)}
use.short{fill:var(--loss)}
use.exit{fill:var(--one)}
use.target{fill:var(--three)}
use.stop,use.liquidation,use.refused_long,use.refused_short{fill:none}
use.stop{stroke:var(--loss);stroke-width:2.2}
use.liquidation{stroke:var(--loss);stroke-width:2.4}
use.refused_long,use.refused_short{stroke:var(--soft);stroke-width:1.2}
.marks .z4,.marks .z16{display:none}
.near4 .z4,.near16 .z4,.near16 .z16{display:inline}
.key{display:inline-flex;align-items:center;gap:4px}
.legend span.key::before{display:none}
path.gain{fill:var(--gain);opacity:.75}
path.loss{fill:var(--loss);opacity:.75}
.zoom{display:inline-flex;gap:4px}
.zoom button{font:inherit;line-height:1;padding:3px 9px;border:1px solid var(--rule);border-radius:5px;background:var(--back);
  color:var(--ink);cursor:pointer}
.area{stroke:none;opacity:.22}
.area.loss{fill:var(--loss)}
rect.one{fill:var(--one)}
rect.two{fill:var(--two)}
rect.three{fill:var(--three)}
rect.four{fill:var(--four)}
rect.five{fill:var(--five)}
rect.six{fill:var(--six)}
rect.loss{fill:var(--loss)}
rect.gain{fill:var(--gain)}
rect.even{fill:var(--soft)}
span.one{color:var(--one)}
span.two{color:var(--two)}
span.three{color:var(--three)}
span.four{color:var(--four)}
span.five{color:var(--five)}
span.six{color:var(--six)}
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
.plots .plot{margin-bottom:0}
dd code{user-select:all}
summary{cursor:pointer;font-weight:600;margin-bottom:8px}
@media(max-width:1100px){
  .cards{grid-template-columns:repeat(4,minmax(0,1fr))}
}
@media(max-width:760px){
  main,.plots{grid-template-columns:minmax(0,1fr)}
  .cards{grid-template-columns:repeat(2,minmax(0,1fr))}
  .card b{font-size:18px}
  .dates .k1,.dates .k3{display:none}
  figcaption>*{min-width:0}
figcaption output{flex-basis:100%;margin-left:0;min-height:1.5em}
  dl{grid-template-columns:1fr}
  dt{margin-top:6px}
  .frame{padding-left:62px}
  .ticks{width:56px}
  th,td{padding:5px 9px}
}
@media print{
  .scroll{max-height:none}
}
"""

SCRIPT = """
const time=ms=>new Date(ms).toISOString().slice(0,19).replace('T',' ');
const near=(x,at)=>{let low=0,high=x.length-1;while(high-low>1){const mid=(low+high)>>1;if(x[mid]<at)low=mid;else high=mid}
return at-x[low]<x[high]-at?low:high};
for(const figure of document.querySelectorAll('[data-points]')){
const data=JSON.parse(figure.dataset.points),svg=figure.querySelector('.main'),sheet=figure.querySelector('.sheet');
const pan=figure.querySelector('.pan'),out=figure.querySelector('output'),cross=figure.querySelector('.cross');
let times=1,marks=[],shown=[];
const see=()=>{marks=(data.m||[]).filter(mark=>mark[3]<=times);shown=marks.map(mark=>mark[0])};see();
const price=at=>{const i=Math.min(data.c.length-1,Math.round(at*(data.c.length-1))),close=data.c[i];
const k=shown.length?near(shown,at):-1,hit=k>=0&&Math.abs(shown[k]-at)*sheet.clientWidth<8&&marks[k];
return[at,hit?time(hit[1])+'  '+hit[2]:time(data.from+(data.to-data.from)*at)+'  '+(close===null?'no bar':close.toLocaleString('en-US',
{maximumFractionDigits:8}))]};
const line=at=>{const i=near(data.x,at),row=data.t[i];
return[data.x[i],row[0]+'  '+row.slice(1).map((v,k)=>data.n.length>1?data.n[k]+' '+v:v).join('  ')]};
svg.addEventListener('pointermove',event=>{const box=svg.getBoundingClientRect();
const[at,said]=(data.c?price:line)(Math.max(0,Math.min(1,(event.clientX-box.left)/box.width)));out.textContent=said;
const x=at*svg.viewBox.baseVal.width;cross.setAttribute('x1',x);cross.setAttribute('x2',x);cross.style.visibility='visible'});
svg.addEventListener('pointerleave',()=>{out.textContent='';cross.style.visibility='hidden'});
if(data.c){const zoom=document.createElement('span');zoom.className='zoom';
const range=()=>{const wide=sheet.clientWidth,a=pan.scrollLeft/wide,b=Math.min(1,a+pan.clientWidth/wide),all=data.to-data.from;
out.textContent=times>1?time(data.from+all*a)+' .. '+time(data.from+all*b):''};
for(const[sign,by,name]of[['\u2212',.5,'show more time'],['+',2,'show less time']]){const button=document.createElement('button');
button.type='button';button.textContent=sign;button.setAttribute('aria-label',name);button.addEventListener('click',()=>{
const middle=(pan.scrollLeft+pan.clientWidth/2)/sheet.clientWidth;times=Math.max(1,Math.min(64,times*by));see();
sheet.style.width=100*times+'%';
sheet.className='sheet'+(times>=16?' near16':times>=4?' near4':'');pan.scrollLeft=middle*sheet.clientWidth-pan.clientWidth/2;
range()});zoom.append(button)}
pan.addEventListener('scroll',range);out.before(zoom)}}
"""
