/*
 * Network: ports, addresses, routes, translations, as the policy in force has
 * them. Nothing is changed here; it is part of what is signed.
 */
function portKind(p) {
	if (p.vlan)
		return t("net.vlan", { id: p.vlan.id, port: p.vlan.of });
	if (p.bridge)
		return t("net.bridge", { n: (p.bridge.members || []).length });
	if (p.wireguard)
		return t("net.wireguard", { n: p.wireguard.listen });
	return t("net.hardware") + " " + Object.values(p.match || {}).join("");
}

function tunnelCard(cfg) {
	const keys = app.status && app.status.tunnels ? app.status.tunnels : [];
	if (!keys.length)
		return null;
	return card(t("net.tunnels"), el("p", { class: "hint" }, t("net.tunnel-hint")),
		table([t("net.port"), t("net.key"), t("net.peers")], keys.map((k) => {
			const port = (cfg.ports || []).find((p) => p.name === k.port);
			const peers = port && port.wireguard ? port.wireguard.peers || [] : [];
			return [k.port, el("code", { class: "wrap" }, k.key),
				peers.map((peer) => el("div", {}, (peer.endpoint || t("net.anywhere")) + ": "
					+ (peer.allowed || []).join(", ")))];
		}), { "aria-label": t("net.tunnels") }));
}

async function showNetwork() {
	const config = await loadConfig();
	if (!config)
		return [el("h1", {}, t("nav.network")), notice("warn", t("policy.none"))];
	const cfg = config.cfg;
	const nat = natSentences(cfg);
	return [el("h1", {}, t("nav.network")),
		el("p", { class: "hint" }, t("net.hint")),
		card(t("net.ports"), table([t("net.port"), t("net.zone"), t("net.addresses"), t("net.kind")],
			(cfg.ports || []).map((p) => [p.name, p.zone ? t("zone." + p.zone) : t("net.no-zone"),
				(p.addresses || []).map((a) => el("div", {}, el("code", {}, a))), portKind(p)]),
			{ "aria-label": t("net.ports") })),
		(cfg.routes || []).length ? card(t("net.routes"), table([t("net.to"), t("net.via"), t("net.zone")],
			cfg.routes.map((r) => {
				const via = parseAddress(r.via);
				const zone = via && zoneOfVia(cfg, via);
				return [el("code", {}, r.to), el("code", {}, r.via), zone ? t("zone." + zone) : "?"];
			}), { "aria-label": t("net.routes") })) : null,
		nat.length ? card(t("net.nat"), el("p", { class: "hint" }, t("net.nat-hint")),
			el("ul", { class: "plain" }, nat.map((n) => el("li", {}, n.text)))) : null,
		tunnelCard(cfg),
		card(t("net.plane"), facts([
			[t("net.mgmt"), cfg.management
				? t("net.mgmt-is", { port: cfg.management.port, from: cfg.management.sources.join(", ") })
				: t("net.mgmt-none")],
			["SOC", cfg.soc ? cfg.soc.addresses.join(", ") : t("fact.none")],
			[t("net.window"), spanText(cfg.confirm_window || CONFIRM_WINDOW_S)],
		]))];
}
