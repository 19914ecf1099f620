/// @file
/// Style of the HTML report, and the script that sorts its table. Colours follow the reader's scheme; nothing is loaded.
#pragma once

#include <string_view>

namespace notch::detail {

/// Colours, light and dark.
inline constexpr std::string_view report_colours = R"css(
:root{color-scheme:light dark;--bg:#f6f6f3;--card:#fff;--ink:#1c1f26;--soft:#596071;--faint:#6f7788;--line:#e3e4e0;
--track:#ecedea;--accent:#2a62c9;--accent-soft:#e2ebfb;--second:#b0560d;--good:#15754a;--good-soft:#dff3e8;--warn:#9a5a00;
--warn-soft:#fdf0d8;--bad:#c02a2a;--bad-soft:#fbe3e1;--shadow:0 1px 2px rgba(20,22,28,.05),0 4px 16px rgba(20,22,28,.04)}
@media (prefers-color-scheme:dark){:root{--bg:#0f1115;--card:#171a21;--ink:#e9ebf0;--soft:#a7afbf;--faint:#8a93a5;
--line:#292e39;--track:#252a34;--accent:#79a6ff;--accent-soft:#1d2b47;--second:#f0a45c;--good:#5dcc98;--good-soft:#14301f;
--warn:#f0b95a;--warn-soft:#35280f;--bad:#ff7d76;--bad-soft:#3a1a1a;--shadow:none}}
)css";

/// The page, its tiles and warnings.
inline constexpr std::string_view report_layout = R"css(
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1180px;margin:0 auto;padding:36px 24px 64px}
h1{font-size:clamp(24px,4vw,34px);line-height:1.15;letter-spacing:-.02em;margin:0 0 10px;overflow-wrap:anywhere}
h2{font-size:19px;letter-spacing:-.01em;margin:44px 0 4px}h3{font-size:13px;margin:0 0 2px}
p.note{margin:0 0 14px;color:var(--soft);max-width:100ch}a{color:inherit}sup,sub{line-height:0;font-size:.76em}
.eyebrow{color:var(--faint);font-size:13px;margin:0 0 6px}
.chips{display:flex;flex-wrap:wrap;gap:6px;margin:0 0 6px;padding:0;list-style:none}
.chip{background:var(--card);border:1px solid var(--line);border-radius:999px;padding:2px 10px;font-size:13px;color:var(--soft);
text-decoration:none;max-width:100%;overflow-wrap:anywhere}
.chip b{color:var(--ink);font-weight:600}a.chip:hover{border-color:var(--accent);color:var(--ink)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:12px;margin:22px 0 0}
.card,.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;box-shadow:var(--shadow)}
.tile{padding:14px 16px}.tile .k{font-size:13px;color:var(--soft)}
.tile .v{font-size:27px;line-height:1.2;font-weight:650;letter-spacing:-.02em;margin:2px 0;white-space:nowrap}
.tile .v small{font-size:15px;font-weight:500;color:var(--soft);letter-spacing:0;margin-left:3px}
.tile .s{font-size:13px;color:var(--soft)}.tile .s+.s{margin-top:2px}
.pair{display:grid;gap:3px;margin:7px 0 5px}.pair i{display:block;height:5px;border-radius:3px;background:var(--accent)}
.pair i.ref{background:var(--faint);opacity:.45}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.alert{border:1px solid var(--line);border-left:4px solid var(--warn);border-radius:10px;background:var(--card);
padding:12px 16px;margin:10px 0}.alert.bad{border-left-color:var(--bad);color:inherit}
.alert.good{border-left-color:var(--good);color:inherit}.alert h3{font-size:15px}
.alert p{margin:0 0 8px;color:var(--soft);font-size:14px}.alert p:last-child{margin:0}
footer{margin-top:40px;color:var(--faint);font-size:13px}
@media (max-width:640px){main{padding:22px 14px 48px}.tiles{grid-template-columns:1fr 1fr;gap:8px}
.tile{padding:11px 12px}.tile .v{font-size:22px}}
@media (max-width:330px){.tiles{grid-template-columns:1fr}}
@media print{body{background:#fff}.card,.tile{box-shadow:none}.scroll{overflow:visible}}
)css";

/// The table.
inline constexpr std::string_view report_table_style = R"css(
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:13.5px}
th{font-weight:600;color:var(--soft);text-align:right;font-size:12.5px;padding:10px 10px 8px;border-bottom:1px solid var(--line);
white-space:nowrap;vertical-align:bottom}
th small{font-weight:400;color:var(--faint)}
th[aria-sort]{color:var(--ink)}th.sorts{cursor:pointer}th.sorts:hover{color:var(--ink)}
th[aria-sort=descending]:after{content:" \2193"}th[aria-sort=ascending]:after{content:" \2191"}
td{padding:7px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
tr:last-child td{border-bottom:0}tbody tr:hover td{background:var(--accent-soft)}
th.l,td.l{text-align:left}td.n{color:var(--faint)}
th.name,td.name{position:sticky;left:0;background:var(--card);text-align:left;z-index:1}
td.name a{display:block;max-width:270px;overflow:hidden;text-overflow:ellipsis;font-weight:550;text-decoration:none}
td.name a:hover{text-decoration:underline}td.name span{display:block;color:var(--faint);font-size:12px}
.rail{display:block;height:4px;border-radius:2px;background:var(--track);margin-top:4px;min-width:64px}
.rail i{display:block;height:4px;border-radius:2px;background:var(--accent)}.rail i.w{background:var(--warn)}
.rail i.b{background:var(--bad)}.rail i.o{background:var(--second)}
td.none{color:var(--faint)}
@media (max-width:640px){td.name a{max-width:128px}td,th{padding-left:8px;padding-right:8px}}
)css";

/// Layers and charts.
inline constexpr std::string_view report_chart_style = R"css(
details.layer{margin:8px 0;overflow:hidden}
details.layer>summary{cursor:pointer;display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline;padding:11px 16px;list-style:none}
details.layer>summary::-webkit-details-marker{display:none}
details.layer>summary:before{content:"\25B8";color:var(--faint);width:12px;transition:transform .12s}
details.layer[open]>summary:before{transform:rotate(90deg)}details.layer>summary:hover{background:var(--accent-soft)}
summary b{font-weight:600;overflow-wrap:anywhere}summary .op{color:var(--soft);font-size:13.5px}
summary .end{margin-left:auto;color:var(--soft);font-size:13.5px}
.badge{display:inline-block;border-radius:6px;padding:0 7px;font-size:12px;line-height:19px;background:var(--warn-soft);color:var(--warn)}
.badge.b{background:var(--bad-soft);color:var(--bad)}
.body{padding:4px 16px 18px;scroll-margin-top:64px;border-top:1px solid var(--line)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:20px 26px;margin:14px 0 6px}
figure{margin:0;min-width:0}figure svg{max-width:480px}figcaption{color:var(--soft);font-size:13px;margin:0 0 6px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(46%,200px),1fr));gap:10px 22px;margin:16px 0 0}
dt{color:var(--faint);font-size:12.5px}dd{margin:0;font-size:14px;overflow-wrap:anywhere}
pre{margin:16px 0 0;padding:11px 13px;border-radius:8px;background:var(--bg);border:1px solid var(--line);
font:12.5px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:11px;font-family:inherit}
svg .strong{fill:var(--ink);font-weight:600}
.bar{fill:var(--accent)}.out{fill:var(--bad)}.raised{fill:var(--warn)}.second{fill:var(--second)}.range{fill:var(--accent-soft)}
.edge{stroke:var(--accent);stroke-width:1;stroke-dasharray:3 3}.axis{stroke:var(--faint);stroke-width:1;opacity:.6}
.grid{stroke:var(--line);stroke-width:1}.code{stroke:var(--accent);stroke-width:1;opacity:.75}
.line{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round}.dot{fill:var(--accent);stroke:var(--card);stroke-width:1.5}
.ring{fill:var(--card);stroke:var(--second);stroke-width:1.5}.limit{stroke:var(--bad);stroke-width:1;stroke-dasharray:5 4;opacity:.8}
.hit{fill:transparent}.hit:hover{fill:var(--ink);fill-opacity:.06}
.overview{padding:14px 16px 10px}.overview svg{min-width:940px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--soft);margin:0 0 8px}
.legend i{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:6px;background:var(--accent)}
.legend i.ring2{background:none;border:2px solid var(--second)}.legend i.dash{height:0;border-radius:0;width:16px;
border-top:2px dashed var(--bad);background:none;vertical-align:middle}
)css";

/// Sorts the table by a column where its head is clicked, and opens the layer that a link leads to.
inline constexpr std::string_view report_script = R"js(
(function(){var t=document.querySelector('table.layers');if(!t)return;var b=t.tBodies[0];
function by(r,k){var c=r.cells[k],v=c.getAttribute('data-v');return v===null?c.textContent:v===''?-Infinity:+v}
Array.prototype.forEach.call(t.tHead.rows[0].cells,function(h,k){h.classList.add('sorts');h.tabIndex=0;
function sort(){var d=h.getAttribute('aria-sort')==='descending'?1:-1;if(k<2&&!h.hasAttribute('aria-sort'))d=1;
var r=Array.prototype.slice.call(b.rows);r.sort(function(x,y){var p=by(x,k),q=by(y,k);return d*(p<q?-1:p>q?1:0)});
r.forEach(function(x){b.appendChild(x)});Array.prototype.forEach.call(t.tHead.rows[0].cells,function(o){o.removeAttribute('aria-sort')});
h.setAttribute('aria-sort',d<0?'descending':'ascending')}
h.addEventListener('click',sort);h.addEventListener('keydown',function(e){if(e.key==='Enter'||e.key===' '){e.preventDefault();sort()}})});
function open(){var e=location.hash&&document.getElementById(location.hash.slice(1));var d=e&&e.closest('details');
if(d){d.open=true;d.scrollIntoView()}}
window.addEventListener('hashchange',open);open()})();
)js";

} // namespace notch::detail
