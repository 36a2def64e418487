/*
 * Report: the controls of the level profile, met, partly met or not, and the
 * counters, for printing. The findings of a draft are made here as well, with
 * the checks of firmware/policyd/cfg_profile.c.
 */
const IDLE_END_MAX_S = 86400;
const MET = { met: "ok", partly: "warn", "not-met": "bad" };

/* For each control that looks at one rule: does the rule keep it? */
const RULE_CHECKS = {
	outside_service: (r) => !opensInside(r) || (r.destination && r.service),
	inside_service: (r) => !insideOut(r) || r.service,
	limits: (r) => !opensInside(r) || (r.limit && r.limit.connections && r.limit.connections_per_source),
	outside_log: (r) => !opensInside(r) || r.log,
	mgmt_internet: (r) => !(r.action === "permit" && ruleZones(r.from).includes("mgmt")
		&& ruleZones(r.to).includes("internet")),
};

function insideOut(r) {
	return r.action === "permit" && ruleZones(r.from).some((z) => !OUTSIDE.includes(z))
		&& ruleZones(r.to).some((z) => OUTSIDE.includes(z));
}

/* Whether a configuration keeps a control: {met, rule}; null for one unknown here. */
function controlMet(cfg, name) {
	const bool = (yes) => ({ met: yes ? "met" : "not-met", rule: null });
	const zones = new Set((cfg.ports || []).map((p) => p.zone));
	const port = cfg.management && (cfg.ports || []).find((p) => p.name === cfg.management.port);
	const wanted = ["server", "dmz", "wireless", "mgmt"].filter((z) => zones.has(z)).length;
	const whole = {
		mgmt_sources: () => bool(cfg.management),
		mgmt_port: () => bool(port && port.zone === "mgmt"),
		idle_end: () => bool((own(cfg.timeouts, "tcp_established") || 7440) <= IDLE_END_MAX_S),
		soc: () => bool(cfg.soc && cfg.soc.addresses && cfg.soc.addresses.length),
		zones: () => ({ met: wanted === 4 ? "met" : wanted ? "partly" : "not-met", rule: null }),
	};
	if (Object.hasOwn(whole, name))
		return whole[name]();
	if (!Object.hasOwn(RULE_CHECKS, name))
		return null;
	const bad = (cfg.rules || []).filter((r) => !RULE_CHECKS[name](r));
	if (!bad.length)
		return { met: "met", rule: null };
	return { met: bad.length < cfg.rules.length ? "partly" : "not-met", rule: bad[0].id };
}

function controlRows(controls) {
	return controls.map((c) => [c[texts.lang] || c.en,
		el("span", { class: "clause" }, c.source),
		c.want === "must" ? t("control.must") : t("control.show"),
		[stateWord(MET[c.met] || "off", t("met." + (Object.hasOwn(MET, c.met) ? c.met : "unknown"))),
			c.rule ? el("div", { class: "hint" }, t("control.rule", { id: c.rule })) : null]]);
}

function controlTable(controls) {
	return table([t("control.what"), t("control.clause"), t("control.want"), t("control.met")],
		controlRows(controls), { "aria-label": t("report.controls") });
}

async function showReport() {
	const [controls, counters] = await Promise.all([call("GET", "/api/controls"),
		may("GET", "/api/counters") ? call("GET", "/api/counters") : null]);
	const config = await loadConfig();
	const st = app.status || {};
	const list = controls.controls || [];
	const count = (m) => list.filter((c) => c.met === m).length;
	const sums = counters ? counterSums(counters, config && config.cfg) : null;
	return [el("h1", {}, t("report.title")),
		el("p", { class: "screen-only" }, t("report.hint"), " ",
			button(t("report.print"), () => window.print(), "primary")),
		card(null, facts([
			[t("fact.agency"), st.agency || t("fact.none")],
			[t("fact.device"), st.device || st.device_serial || t("fact.none")],
			[t("fact.serial"), st.serial ? number(st.serial) : t("fact.none")],
			[t("fact.profile"), tOr("profile." + controls.profile, controls.profile)],
			[t("report.made"), timeText(Date.now() / 1000)],
			[t("report.by"), session.name],
		])),
		card(t("report.controls"),
			el("p", {}, t("report.sum", { met: count("met"), partly: count("partly"), not: count("not-met") })),
			list.length ? controlTable(list) : notice("info", t("report.no-profile"))),
		sums ? card(t("report.counters"), facts([
			[t("chart.passed"), number(sums.passed)], [t("chart.dropped"), number(sums.dropped)]]),
		dropsList(sums.byReason),
		config ? table([t("rule.id"), t("rule.words"), t("drops.packets"), t("drops.bytes")],
			(config.cfg.rules || []).map((r) => {
				const c = (counters.rules || []).find((x) => x.id === r.id) || { packets: 0, bytes: 0 };
				return [r.id, plainRule(config.cfg, r), amount(number(c.packets)),
					amount(bytesText(c.bytes))];
			}), { "aria-label": t("report.counters") }) : null) : null,
		el("p", { class: "hint" }, t("banner.short"))];
}
