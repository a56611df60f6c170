'use strict';
// Searches, sorts, zooms, shows the evidence behind a mark, copies. It changes what is shown and nothing else, and sends nothing.
(() => {
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (name, text, className) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const index = document.querySelector('.index');
if (!index) return;

const tools = make('div', '', 'tools');
const search = make('input');
search.type = 'search';
search.placeholder = 'search: tag, digest, role …';
search.setAttribute('aria-label', 'search findings');
const order = make('select');
order.setAttribute('aria-label', 'sort findings');
for (const [value, text] of [['', 'worst first'], ['time', 'newest first'], ['name', 'by tag']]) {
  const option = make('option', text);
  option.value = value;
  order.append(option);
}
const told = make('span', '', 'told');
told.setAttribute('role', 'status');
tools.append(search, order, told);
index.before(tools);

const rows = all('.rows > li').map((row, place) => {
  const id = row.querySelector('a').hash.slice(1);
  const article = document.getElementById(id);
  return { row, place, list: row.parentElement, article, details: article.closest('details'),
    text: (row.textContent + ' ' + article.textContent).toLowerCase(),
    time: row.querySelector('time').textContent, name: row.querySelector('.what').textContent };
});
const find = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of rows) {
    const fits = words.every(word => one.text.includes(word));
    one.row.classList.toggle('hidden', !fits);
    one.details.classList.toggle('hidden', !fits);
    shown += fits;
  }
  for (const group of all('.index .group')) group.classList.toggle('hidden', !group.querySelector('li:not(.hidden)'));
  told.textContent = words.length ? `${shown} of ${rows.length}` : '';
};
search.addEventListener('input', find);
order.addEventListener('change', () => {
  const by = { time: (a, b) => b.time.localeCompare(a.time), name: (a, b) => a.name.localeCompare(b.name) }[order.value] || (() => 0);
  const sorted = [...rows].sort((a, b) => by(a, b) || a.place - b.place);
  for (const one of sorted) one.list.append(one.row);
  const first = new Map();
  sorted.forEach((one, place) => { const group = one.list.closest('.group'); if (!first.has(group)) first.set(group, place); });
  for (const group of [...first.keys()]) index.append(group);
});

// Copies what stands beside it.
const copy = (after, text) => {
  const button = make('button', 'copy', 'copy');
  button.type = 'button';
  button.setAttribute('aria-label', `copy ${text.slice(0, 40)}`);
  button.addEventListener('click', async () => {
    try { await navigator.clipboard.writeText(text); } catch {
      const field = make('textarea');
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand('copy');
      field.remove();
    }
    button.textContent = 'copied';
  });
  after.append(button);
};
const dress = details => {
  if (details.dataset.dressed) return;
  details.dataset.dressed = 'yes';
  for (const item of all('.advice li', details)) copy(item, item.textContent);
  for (const code of all('dl code', details)) copy(code.parentElement, code.textContent);
  for (const picture of all('.story', details)) zoom(picture);
  for (const mark of all('.picture :is(rect, line, use):has(title)', details)) {
    const times = mark.querySelector('title').textContent.match(/\d{4}-\d\d-\d\dT[\d:.]+Z/g) || [];
    const light = on => all('table tbody tr', details).forEach(row => row.classList.toggle('lit', on && times.includes(row.cells[0].textContent)));
    mark.addEventListener('mouseenter', () => light(true));
    mark.addEventListener('mouseleave', () => light(false));
  }
};
const zoom = story => {
  const picture = story.querySelector('.across');
  let width = 100;
  for (const [text, factor] of [['−', 1 / 1.4], ['+', 1.4]]) {
    const button = make('button', text);
    button.type = 'button';
    button.setAttribute('aria-label', factor > 1 ? 'zoom in' : 'zoom out');
    button.addEventListener('click', () => { width = Math.min(800, Math.max(100, width * factor)); picture.style.width = `${width}%`; });
    story.append(button);
  }
};
for (const details of all('#details > details')) {
  if (details.open) dress(details);
  details.addEventListener('toggle', () => { if (details.open) dress(details); });
}

// j and k go from finding to finding, Enter opens one, / searches, Escape clears.
let at = -1;
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') { search.value = ''; find(); search.blur(); return; }
  if (event.target.matches('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
  const shown = all('.rows > li > a').filter(link => link.checkVisibility());
  if (event.key === '/') { event.preventDefault(); search.focus(); }
  if (event.key === 'j' || event.key === 'k') {
    at = Math.min(shown.length - 1, Math.max(0, at + (event.key === 'j' ? 1 : -1)));
    if (shown[at]) shown[at].focus();
  }
});
})();
