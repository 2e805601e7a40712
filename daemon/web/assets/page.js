// Everything that comes from the daemon goes through textContent or a style property, never through markup.
"use strict";

const $ = (id) => document.getElementById(id);

function el(tag, cls, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...children.map((c) => (c instanceof Node ? c : document.createTextNode(String(c)))));
  return e;
}

const whole = (n) => Number(n).toLocaleString("en");
const percent = (a, b) => (b ? ((100 * a) / b).toFixed(1) + " %" : "–");
const known = ["class", "reject", "unsure", "late"];
const kind = (v) => (known.includes(v) ? v : "");

function span(us) {
  let s = Math.max(0, Math.round(us / 1e6));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d";
}

function tile(value, text, cls) {
  return el("div", "tile " + (cls || ""), el("b", "", value), el("span", "", text));
}

const rates = new Map(); // camera → {frames, now, fps}

function fps(cam, now, started) {
  const r = rates.get(cam.name);
  if (!r || cam.frames < r.frames) {
    const up = (now - started) / 1e6; // the mean so far, until there is a newer one
    const mean = cam.state === "online" && up > 1 ? cam.frames / up : null;
    rates.set(cam.name, { frames: cam.frames, now, fps: mean });
    return mean;
  }
  const dt = (now - r.now) / 1e6;
  if (dt >= 1.5) {
    r.fps = (cam.frames - r.frames) / dt;
    r.frames = cam.frames;
    r.now = now;
  }
  return r.fps;
}

function tiles(s) {
  let objects = 0, speed = null;
  for (const c of s.cameras) {
    objects += c.objects;
    const f = fps(c, s.now, s.started);
    if (f !== null) speed = (speed || 0) + f;
  }
  const out = [tile(whole(objects), "objects seen")];
  if (s.truth) {
    out.push(tile(percent(s.truth.right, s.truth.counted), "right, against the truth", "good"));
    out.push(tile(whole(s.truth.counted), "counted of " + whole(s.truth.objects)));
  }
  out.push(tile(speed === null ? "–" : speed.toFixed(1), "frames per second"));
  const ages = s.verdicts.map((v) => v.age_ms).filter((a) => a > 0).sort((a, b) => a - b);
  out.push(tile(ages.length ? Math.round(ages[ages.length >> 1]) + " ms" : "–", "from exposure to message"));
  $("tiles").replaceChildren(...out);
}

const cards = []; // by position

function card(i) {
  if (cards[i]) return cards[i];
  const img = el("img"), veil = el("p", "", "no picture yet"), view = el("div", "view", img, veil);
  img.alt = "";
  img.hidden = true;
  const c = { view, img, veil, name: el("h3"), pill: el("span", "pill"), reason: el("p", "quiet"), source: el("p", "source"),
    bars: el("div", "bars"), traffic: el("table", "traffic"), url: "", frame: 0 };
  c.root = el("article", "camera", view,
    el("div", "about", el("div", "line", c.name, c.pill), c.reason, c.source, c.bars, c.traffic));
  cards[i] = c;
  $("cameras").append(c.root);
  look(c);
  return c;
}

function cameras(s) {
  s.cameras.forEach((cam, i) => {
    const c = card(i);
    c.url = s.pictures[i];
    c.name.textContent = cam.name;
    c.img.alt = "live picture of " + cam.name;
    c.pill.textContent = cam.state + (cam.since ? " · " + span(s.now - cam.since) : "");
    c.pill.className = "pill " + ({ online: "good", stalled: "warn", offline: "bad" }[cam.state] || "");
    c.reason.textContent = cam.reason || "";
    c.source.textContent = cam.source + " · " + whole(cam.processed) + " frames, " + whole(cam.dropped) + " dropped" +
      (cam.belt ? " · belt " + speed(cam.belt) : "");
    const counts = Object.entries(s.counts[cam.name] || {}).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 16);
    const most = Math.max(1, ...counts.map((x) => x[1]));
    c.bars.replaceChildren(...counts.flatMap(([name, n]) => {
      const fill = el("i");
      fill.style.width = (100 * n) / most + "%";
      return [el("span", "name", name || "–"), el("span", "bar " + kind(name), fill), el("span", "n", whole(n))];
    }));
    traffic(c.traffic, cam);
  });
  while (cards.length > s.cameras.length) {
    const c = cards.pop();
    c.gone = true;
    c.root.remove();
  }
}

function speed(b) {
  const arrows = ["→", "↘", "↓", "↙", "←", "↖", "↑", "↗"]; // y grows downwards
  const v = Math.round(Math.hypot(b.x, b.y));
  return v + " px/s" + (v ? " " + arrows[(Math.round((4 * Math.atan2(b.y, b.x)) / Math.PI) + 8) % 8] : "");
}

// traffic lists the totals of lines and zones, where there are any.
function traffic(table, cam) {
  const head = (...names) => el("tr", "", ...names.map((n, i) => el("th", i ? "n" : "", n)));
  const row = (name, ...numbers) => el("tr", "", el("td", "what", name), ...numbers.map((n) => el("td", "n", n === "" ? "" : whole(n))));
  const lines = cam.lines || [], zones = cam.zones || [], out = [];
  if (lines.length) out.push(head("line", "forward", "back", "net"), ...lines.map((l) => row(l.name, l.forward, l.back, l.forward - l.back)));
  if (zones.length) out.push(head("zone", "entered", "inside", ""), ...zones.map((z) => row(z.name, z.entered, z.inside, "")));
  table.hidden = !out.length;
  table.replaceChildren(...out);
}

// look fetches one picture after the other, each with the boxes that belong to it.
async function look(c) {
  while (!c.gone) {
    try {
      if (document.visibilityState === "hidden" || !c.url) throw null;
      const url = c.url;
      const r = await fetch(url + "?after=" + c.frame);
      if (r.status === 204) continue;
      if (!r.ok) throw null;
      const boxes = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(r.headers.get("X-Boxes")), (x) => x.charCodeAt(0))));
      const src = URL.createObjectURL(await r.blob());
      const old = c.img.src;
      c.img.src = src;
      await c.img.decode();
      if (old) URL.revokeObjectURL(old);
      c.frame = url === c.url ? Number(r.headers.get("X-Frame")) : 0;
      c.img.hidden = false;
      c.veil.hidden = true;
      labels(c, boxes);
    } catch {
      await new Promise((ok) => setTimeout(ok, 1000));
    }
  }
}

function labels(c, boxes) {
  c.view.querySelectorAll(".label").forEach((l) => l.remove());
  for (const b of boxes) {
    const words = b.class || b.verdict;
    if (!words) continue;
    const l = el("span", "label " + kind(b.verdict) + (b.box[1] < 0.07 ? " below" : ""),
      words + (b.p ? " " + Math.round(100 * b.p) + " %" : ""));
    if (b.box[0] > 0.75) l.style.right = 100 * Math.max(0, 1 - b.box[2]) + "%"; // or it would end outside
    else l.style.left = 100 * Math.max(0, b.box[0]) + "%";
    l.style.top = 100 * Math.max(0, b.box[1]) + "%";
    c.view.append(l);
  }
}

const thumbs = new Map(); // address → img, so that a picture is fetched once

function thumb(v) {
  if (!v.crop) return el("td", "pic");
  let img = thumbs.get(v.crop);
  if (!img) {
    img = el("img");
    img.alt = "object " + v.track;
    img.src = v.crop;
    thumbs.set(v.crop, img);
  }
  return el("td", "pic", img);
}

function verdicts(s) {
  $("none").hidden = s.verdicts.length > 0;
  $("list").className = (s.cameras.length > 1 ? "" : "one ") + (s.verdicts.some((v) => v.crop) ? "" : "blind");
  const shown = new Set(s.verdicts.map((v) => v.crop));
  for (const k of thumbs.keys()) if (!shown.has(k)) thumbs.delete(k);
  $("verdicts").replaceChildren(...s.verdicts.map((v) => {
    const what = el("td", "what", el("b", kind(v.verdict), v.class && v.verdict !== "unsure" ? v.class : v.verdict));
    if (v.reason) what.append(el("small", "quiet", " " + v.reason));
    return el("tr", "", el("td", "time", new Date(v.at / 1000).toLocaleTimeString("en-GB")), el("td", "cam", v.cam), thumb(v), what,
      el("td", "n", v.p.toFixed(2)), el("td", "n votes", v.votes[0] + "/" + v.votes[1]), el("td", "n", v.age_ms ? Math.round(v.age_ms) + " ms" : "–"));
  }));
}

function models(s) {
  $("models").replaceChildren(...s.models.map((m) => {
    const refused = (m.ladder || []).filter((r) => !r.used && r.reason).map((r) => r.name + ": " + r.reason).join("; ");
    const e = el("div", "model", el("b", "", m.name), " " + m.task + " on " + m.delegate,
      el("small", "", (m.version ? m.version + " · " : "") + m.sha256.slice(0, 19)));
    if (refused) e.append(el("small", "", "not " + refused));
    return e;
  }));
}

function broker(s) {
  const m = s.mqtt, p = $("mqtt");
  p.textContent = (m.connected ? "MQTT " : "MQTT away: ") + m.broker;
  p.className = "pill " + (m.connected ? "good" : "bad");
  const rows = [["broker", m.broker + (m.embedded ? " (built in)" : "")], ["topics", m.topics],
    ["published", whole(m.published)], ["waiting", whole(m.queued)], ["lost", whole(m.lost)]];
  if (m.last_error) rows.push(["error", m.last_error]);
  $("broker").replaceChildren(...rows.flatMap(([k, v]) => [el("dt", "", k), el("dd", "", v)]));
}

function stages(s) {
  const list = s.stages || [];
  $("timing").hidden = !list.length;
  const many = s.cameras.length > 1;
  $("stages").replaceChildren(...list.map((t) => el("tr", "", el("td", "", (many ? t.cam + " · " : "") + t.name),
    ...[t.p50, t.p90, t.p99].map((x) => el("td", "n", x.toFixed(1) + " ms")))));
}

async function refresh() {
  try {
    const r = await fetch("api/status.json");
    if (!r.ok) throw null;
    const s = await r.json();
    s.cameras = s.cameras || [];
    s.models = s.models || [];
    document.title = "gleaner · " + s.node;
    $("where").textContent = s.node + " · " + s.site + " · up " + span(s.now - s.started);
    $("software").textContent = "gleaner " + s.software;
    tiles(s); cameras(s); verdicts(s); models(s); broker(s); stages(s);
    $("away").hidden = true;
  } catch {
    $("away").hidden = false;
  }
  setTimeout(refresh, 1000);
}
refresh();
