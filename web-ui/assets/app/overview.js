/*
 * Overview: is the agency protected now? State, policy, reachability, load, and
 * a chart of what passes and what is dropped.
 */
const CHART_POINTS = 60;
const CHART_MS = 3000;
const chart = { last: null, points: [], timer: 0 };

function resetOverview() {
	clearTimeout(chart.timer);
	Object.assign(chart, { last: null, points: [], timer: 0 });
}

/* Sums of the counters: packets let through and dropped. */
function counterSums(counters, cfg) {
	const drops = new Set((cfg ? cfg.rules || [] : []).filter((r) => r.action !== "permit").map((r) => r.id));
	const sums = { passed: 0, dropped: 0, byReason: [] };
	for (const r of counters.rules || []) {
		if (drops.has(r.id))
			sums.dropped += r.packets;
		else
			sums.passed += r.packets;
	}
	for (const b of counters.built_in || []) {
		if (b.reason === "established") {
			sums.passed += b.packets;
			continue;
		}
		sums.dropped += b.packets;
		sums.byReason.push(b);
	}
	return sums;
}

/* Take one more measurement: packets a second since the one before. */
function measure(counters, cfg) {
	const now = Date.now();
	const sums = counterSums(counters, cfg);
	if (chart.last && chart.last.generation === counters.generation && now > chart.last.at) {
		const s = (now - chart.last.at) / 1000;
		const rate = (k) => Math.max(0, (sums[k] - chart.last.sums[k]) / s);
		chart.points.push({ passed: rate("passed"), dropped: rate("dropped") });
		chart.points.splice(0, chart.points.length - CHART_POINTS);
	}
	chart.last = { at: now, sums, generation: counters.generation };
	return sums;
}

function niceTop(value) {
	const scale = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
	return [1, 2, 5, 10].map((f) => f * scale).find((v) => v >= value) || 10;
}

/* The chart: two lines over the last minutes. */
function drawChart(place) {
	const W = 600, H = 150, left = 44, bottom = 18;
	const top = niceTop(Math.max(1, ...chart.points.flatMap((p) => [p.passed, p.dropped])));
	const x = (i) => left + (W - left) * (i + CHART_POINTS - chart.points.length) / (CHART_POINTS - 1);
	const y = (v) => (H - bottom) - (H - bottom - 8) * v / top;
	const line = (k) => chart.points.map((p, i) => x(i).toFixed(1) + "," + y(p[k]).toFixed(1)).join(" ");
	const last = chart.points[chart.points.length - 1];
	const text = last ? t("chart.now", { passed: number(Math.round(last.passed)),
		dropped: number(Math.round(last.dropped)) }) : t("chart.wait");
	place.replaceChildren(
		svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "chart", role: "img", "aria-label": text },
			[0, top / 2, top].map((v) => [
				svg("line", { x1: left, x2: W, y1: y(v), y2: y(v), class: "grid" }),
				svg("text", { x: left - 6, y: y(v) + 4, class: "scale" }, number(v))]),
			svg("polyline", { points: line("passed"), class: "passed" }),
			svg("polyline", { points: line("dropped"), class: "dropped" }),
			svg("text", { x: left, y: H - 2, class: "axis" },
				t("chart.ago", { n: Math.round(CHART_POINTS * CHART_MS / 60000) })),
			svg("text", { x: W, y: H - 2, class: "axis end" }, t("chart.present"))),
		el("p", { class: "legend" },
			el("span", { class: "key passed" }, t("chart.passed")),
			el("span", { class: "key dropped" }, t("chart.dropped")), " ", el("span", {}, text)));
}

/* policyd's word for a way: reachable, unreachable, not-configured. */
function reachWord(value) {
	const kinds = { reachable: "ok", unreachable: "bad" };
	const kind = Object.hasOwn(kinds, value) ? kinds[value] : "off";
	const words = { ok: "reach.ok", bad: "reach.bad", off: "reach.none" };
	return stateWord(kind, t(words[kind]));
}

function loadBar(status) {
	const have = status.connections || 0;
	const max = status.connections_max || 0;
	if (!max)
		return number(have);
	const share = Math.min(100, have * 100 / max);
	const kind = share < 75 ? "ok" : share < 90 ? "warn" : "bad";
	return el("div", {},
		svg("svg", { viewBox: "0 0 200 10", class: "load", role: "img",
			"aria-label": t("load.percent", { n: Math.round(share) }) },
			svg("rect", { width: 200, height: 10, rx: 5, class: "back" }),
			svg("rect", { width: Math.max(4, share * 2), height: 10, rx: 5, class: "fill " + kind })),
		el("span", {}, t("load.of", { n: number(have), max: number(max) })));
}

function protectionCard() {
	const s = stateOf(app.status);
	const st = app.status || {};
	const children = [el("p", { class: "big " + s.kind }, el("span", { class: "dot " + s.kind, "aria-hidden": "true" }),
		s.word), el("p", {}, s.text)];
	if (st.trial_left > 0)
		children.push(el("p", {}, el("a", { class: "button primary", href: "#change" }, t("trial.go"))));
	if (st.no_trust)
		children.push(notice("bad", t("state.no-trust"), " ", el("code", {}, st.no_trust)));
	return el("section", { class: "card hero " + s.kind }, el("h2", {}, t("overview.protected")), children);
}

function policyCard() {
	const st = app.status || {};
	const signers = st.signers && st.signers.length
		? st.signers.map((k) => el("div", {}, el("code", {}, k))) : null;
	return card(t("overview.policy"), facts([
		[t("fact.serial"), st.serial ? number(st.serial) : t("fact.none")],
		st.rules !== undefined ? [t("fact.rules"), number(st.rules)] : null,
		signers ? [t("fact.signers"), signers] : null,
		[t("fact.profile"), tOr("profile." + (st.profile || "none"), st.profile)],
		st.keyset !== undefined ? [t("fact.keyset"), number(st.keyset)] : null,
		st.sha256 ? [t("fact.digest"), el("code", { class: "wrap" }, st.sha256)] : null,
	]));
}

function deviceCard() {
	const st = app.status || {};
	return card(t("overview.device"), facts([
		[t("fact.soc"), reachWord(st.soc)],
		[t("fact.management"), reachWord(st.management)],
		[t("fact.connections"), loadBar(st)],
		[t("fact.device"), st.device || st.device_serial || t("fact.none")],
		st.uptime_s !== undefined ? [t("fact.uptime"), spanText(st.uptime_s)] : null,
		st.refused ? [t("fact.refused"), number(st.refused)] : null,
	]));
}

function dropsList(byReason) {
	const shown = byReason.filter((b) => b.packets > 0).sort((a, b) => b.packets - a.packets).slice(0, 8);
	if (!shown.length)
		return el("p", { class: "hint" }, t("drops.none"));
	return table([t("drops.reason"), t("drops.packets")], shown.map((b) =>
		[tOr("drop." + b.reason, b.reason), amount(number(b.packets))]), { "aria-label": t("drops.title") });
}

async function showOverview() {
	const cfg = may("GET", "/api/config") ? await loadConfig() : null;
	const cards = el("div", { class: "grid" });
	const chartPlace = el("div", {});
	const dropsPlace = el("div", {});
	const redraw = () => cards.replaceChildren(protectionCard(), policyCard(), deviceCard());
	if (!app.status)
		await refreshStatus();
	redraw();
	app.onStatus = redraw;
	clearTimeout(chart.timer);
	const step = async () => {
		if (app.page !== "overview" || !app.started)
			return;
		try {
			const sums = measure(await call("GET", "/api/counters", { quiet: true }), cfg && cfg.cfg);
			drawChart(chartPlace);
			dropsPlace.replaceChildren(dropsList(sums.byReason));
		} catch (error) {
			chartPlace.replaceChildren(errorBox(error));
		}
		chart.timer = setTimeout(step, CHART_MS);
	};
	if (may("GET", "/api/counters"))
		await step();
	return [el("h1", {}, t("nav.overview")), cards,
		may("GET", "/api/counters") ? [card(t("chart.title"), chartPlace),
			card(t("drops.title"), dropsPlace)] : null];
}
