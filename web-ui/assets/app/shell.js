/*
 * The frame after login: navigation, state of the appliance, pages by hash, end
 * of the session. Pages are functions that return their content.
 */
const POLL_MS = 5000;
const IDLE_WARN_S = 60;
const KEEP_SHARE = 0.25; /* of the idle limit: between signs of life */
const app = {
	status: null, statusAt: 0, config: null, draft: null, trialCode: "", usedSerial: 0,
	poll: 0, tick: 0, lastInput: 0, lastCall: 0, page: "", onStatus: null, started: false,
};

const PAGES = {
	overview: { show: showOverview, need: "GET /api/status" },
	policy: { show: showPolicy, need: "GET /api/config" },
	change: { show: showChange, need: "GET /api/draft" },
	network: { show: showNetwork, need: "GET /api/config" },
	accounts: { show: showAccounts, need: null },
	report: { show: showReport, need: "GET /api/controls" },
	help: { show: showHelp, need: null },
};

function pageAllowed(name) {
	return !PAGES[name].need || session.may.includes(PAGES[name].need);
}

/* State of the appliance as {kind, word, text}. */
function stateOf(status) {
	if (!status)
		return { kind: "off", word: t("state.unknown"), text: t("state.unknown-text") };
	if (status.trial_left > 0)
		return { kind: "warn", word: t("state.trial", { time: clockText(trialLeft()) }),
			text: t("state.trial-text") };
	const kinds = { enforced: "ok", kept: "warn", closed: "bad", broken: "bad" };
	const state = Object.hasOwn(kinds, status.state) ? status.state : "unknown";
	return { kind: kinds[state] || "off", word: t("state." + state), text: t("state." + state + "-text") };
}

/* Seconds that the trial has left by now; the last answer may be some seconds old. */
function trialLeft() {
	if (!app.status || !app.status.trial_left)
		return 0;
	return Math.max(0, app.status.trial_left - (Date.now() - app.statusAt) / 1000);
}

async function refreshStatus(quiet) {
	const was = app.status;
	app.status = await call("GET", "/api/status", { quiet });
	app.statusAt = Date.now();
	if (was && (was.serial !== app.status.serial || was.sha256 !== app.status.sha256))
		app.config = null;
	drawState();
	if (app.onStatus)
		app.onStatus();
}

/* {cfg, bytes} in force, null when there is none. */
async function loadConfig() {
	if (app.config)
		return app.config;
	try {
		const bytes = await call("GET", "/api/config", { raw: true, what: t("wait.config") });
		app.config = { bytes, cfg: JSON.parse(new TextDecoder().decode(bytes)) };
	} catch (error) {
		if (!(error instanceof ApiError && error.code === "not-found"))
			throw error;
		app.config = null;
	}
	return app.config;
}

async function loadDraft() {
	app.draft = null;
	if (!may("GET", "/api/draft"))
		return null;
	try {
		const bytes = await call("GET", "/api/draft", { raw: true });
		app.draft = { bytes, cfg: JSON.parse(new TextDecoder().decode(bytes)) };
	} catch (error) {
		if (error instanceof SyntaxError)
			return null;
		if (!(error instanceof ApiError && error.code === "not-found"))
			throw error;
	}
	return app.draft;
}

function canEdit() {
	return may("POST", "/api/draft");
}

/* Keep a new draft on the appliance; its serial is above all that are known to be
 * used (one that was rolled back is used up) and above @above. */
async function saveDraft(cfg, above) {
	const serials = [above || 0, app.usedSerial, app.config ? app.config.cfg.serial : 0, app.status ? app.status.serial || 0 : 0,
		app.status ? app.status.highest_serial || 0 : 0];
	cfg.serial = Math.max(...serials) + 1;
	const bytes = configBytes(cfg);
	await call("POST", "/api/draft", { body: bytes, what: t("wait.draft") });
	app.draft = { bytes, cfg };
	drawNav();
}

async function dropDraft() {
	await call("DELETE", "/api/draft");
	app.draft = null;
	drawNav();
}

function drawState() {
	const place = document.getElementById("state");
	if (!place)
		return;
	const s = stateOf(app.status);
	const text = place.firstChild && place.firstChild.textContent;
	if (text !== s.word || !place.firstChild.classList.contains(s.kind))
		place.replaceChildren(stateWord(s.kind, s.word));
}

/* A link to the page that is shown already draws it anew; browsers do nothing then. */
function again(event, name) {
	if (location.hash !== "#" + name)
		return;
	event.preventDefault();
	showPage(true);
}

function drawNav() {
	const place = document.getElementById("nav");
	if (!place)
		return;
	place.replaceChildren(el("ul", {}, Object.keys(PAGES).filter(pageAllowed).map((name) =>
		el("li", {}, el("a", { href: "#" + name, "aria-current": app.page === name ? "page" : null,
			onclick: (e) => again(e, name) },
			t("nav." + name),
			name === "change" && app.draft ? el("span", { class: "badge" }, t("nav.draft")) : null)))));
}

function drawFrame() {
	const menu = button(t("nav.menu"), () => {
		const open = document.body.classList.toggle("menu-open");
		menu.setAttribute("aria-expanded", String(open));
	}, "menu-button", { "aria-expanded": "false", "aria-controls": "nav" });
	document.getElementById("root").replaceChildren(
		el("a", { class: "skip", href: "#main", onclick: (e) => {
			e.preventDefault();
			document.getElementById("main").focus();
		} }, t("nav.skip")),
		el("header", { class: "top" },
			el("div", { class: "brand-box" }, el("img", { src: "/mark.svg", alt: "", width: "28", height: "28" }),
				el("span", { class: "brand" }, "Lũy Tre"),
				el("span", { class: "agency", id: "agency", dir: "auto" })),
			el("span", { id: "state", role: "status" }),
			el("div", { class: "who" },
				el("span", { class: "account" }, session.name, " · ", tOr("role." + session.role, session.role)),
				languageSwitch(),
				button(t("do.logout"), leave, "link")),
			menu),
		el("div", { class: "body" },
			el("nav", { id: "nav", "aria-label": t("nav.label") }),
			el("main", { id: "main", tabindex: "-1" })),
		el("div", { id: "idle" }),
		el("footer", {}, t("banner.short")));
}

async function leave() {
	if (app.draft && canEdit()
		&& !await ask(t("leave.title"), el("p", {}, t("leave.draft")), t("do.logout")))
		return;
	await logout("left");
}

/* Show the page that the address names; focus goes to its heading. */
async function showPage(focus) {
	const [name, ...rest] = location.hash.slice(1).split("/");
	const page = Object.hasOwn(PAGES, name) && pageAllowed(name) ? name : "overview";
	const main = document.getElementById("main");
	app.page = page;
	app.onStatus = null;
	document.body.classList.remove("menu-open");
	document.title = t("nav." + page) + " · Lũy Tre";
	drawNav();
	const content = el("div", { class: "page", "aria-busy": "true" }, el("p", { class: "hint" }, t("wait.page")));
	main.replaceChildren(content);
	try {
		const nodes = await PAGES[page].show(rest.map(decodeURIComponent));
		if (app.page !== page || !content.isConnected)
			return;
		content.replaceChildren();
		append(content, [nodes]);
	} catch (error) {
		content.replaceChildren(el("h1", {}, t("nav." + page)), errorBox(error),
			el("div", { class: "buttons" }, button(t("do.again"), () => showPage(true))));
	}
	content.removeAttribute("aria-busy");
	const agency = document.getElementById("agency");
	if (agency && app.status)
		agency.textContent = visible(app.status.agency || "");
	const head = content.querySelector("h1");
	if (head && focus) {
		head.setAttribute("tabindex", "-1");
		head.focus();
		window.scrollTo(0, 0);
	}
}

function go(hash) {
	if (location.hash === "#" + hash)
		showPage(true);
	else
		location.hash = hash;
}

/* Who types for a long time is there: a call that counts as activity. Status and
 * counters do not count, so an open page alone keeps no session. */
function keepAlive() {
	app.lastCall = Date.now();
	call("GET", "/api/config", { raw: true, quiet: true }).catch(() => {});
}

/* Once a second: countdowns, and the end of a session that nobody uses. */
function everySecond() {
	const idle = (Date.now() - Math.max(app.lastInput, app.lastCall)) / 1000;
	const left = Math.min(session.idle_s - idle, (session.ends_at - Date.now()) / 1000);
	const place = document.getElementById("idle");
	drawState();
	if (app.onStatus && app.status && app.status.trial_left)
		app.onStatus();
	if (app.lastInput - app.lastCall > session.idle_s * 1000 * KEEP_SHARE)
		keepAlive();
	if (left <= 0) {
		logout("idle");
	} else if (left <= IDLE_WARN_S && place) {
		if (!place.firstChild)
			place.append(notice("warn", el("span", { class: "left" }), " ",
				button(t("idle.stay"), keepAlive, "")));
		place.querySelector(".left").textContent = t("idle.left", { n: Math.ceil(left) });
	} else if (place && place.firstChild) {
		place.replaceChildren();
	}
}

async function pollStatus() {
	try {
		await refreshStatus(true);
	} catch {
		app.status = null;
		drawState();
	}
	if (app.started)
		app.poll = setTimeout(pollStatus, POLL_MS);
}

function noteInput() {
	app.lastInput = Date.now();
}

function onHash() {
	showPage(true);
}

async function startApp() {
	leaveApp();
	app.started = true;
	shared.render = () => {
		drawFrame();
		drawState();
		showPage(false);
	};
	noteInput();
	app.lastCall = Date.now();
	drawFrame();
	for (const kind of ["keydown", "pointerdown"])
		document.addEventListener(kind, noteInput);
	window.addEventListener("hashchange", onHash);
	try {
		await refreshStatus();
		await loadDraft();
		await loadConfig();
		/* those count as activity: now the whole idle limit is ahead */
		takeSession(await call("GET", "/api/session"));
	} catch {
		/* the pages show what cannot be reached */
	}
	if (!app.started)
		return;
	app.tick = setInterval(everySecond, 1000);
	app.poll = setTimeout(pollStatus, POLL_MS);
	await showPage(true);
}

/* Forget everything of the session. */
function leaveApp() {
	clearTimeout(app.poll);
	clearInterval(app.tick);
	window.removeEventListener("hashchange", onHash);
	for (const kind of ["keydown", "pointerdown"])
		document.removeEventListener(kind, noteInput);
	document.querySelectorAll("dialog").forEach((d) => d.remove());
	Object.assign(app, { status: null, config: null, draft: null, trialCode: "", started: false,
		onStatus: null });
	resetOverview();
	resetChange();
}
