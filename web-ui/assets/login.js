/*
 * What is served before login: language, banner, login, forced change of the
 * password, second factor. The rest of the interface is loaded afterwards.
 */
const LANGUAGES = [["vi", "Tiếng Việt"], ["en", "English"]];
const shared = { render: null, appLoaded: false };

function storedLanguage() {
	try {
		return localStorage.getItem("lang") === "en" ? "en" : "vi";
	} catch {
		return "vi";
	}
}

async function loadTexts(file) {
	const response = await fetch(file, { credentials: "same-origin" });
	if (!response.ok)
		throw new ApiError("http-" + response.status);
	Object.assign(texts.map, await response.json());
}

/* Load the texts of a language; those of the application too once it runs. */
async function useLanguage(lang) {
	texts.lang = lang;
	document.documentElement.lang = lang;
	await loadTexts("/" + lang + "-login.json");
	if (shared.appLoaded)
		await loadTexts("/" + lang + ".json");
}

function languageSwitch() {
	return el("div", { class: "languages", role: "group", "aria-label": "Ngôn ngữ / Language" },
		LANGUAGES.map(([code, name]) => button(name, async () => {
			try {
				localStorage.setItem("lang", code);
			} catch {
				/* without storage the choice holds for this visit */
			}
			await useLanguage(code);
			shared.render();
		}, "link", { lang: code, "aria-pressed": String(texts.lang === code) })));
}

/* The frame of everything before the application. */
function gate(title, ...children) {
	document.title = title + " · Lũy Tre";
	document.getElementById("root").replaceChildren(el("main", { class: "gate" },
		el("div", { class: "gate-head" },
			el("img", { src: "/mark.svg", alt: "", width: "40", height: "40" }),
			el("span", { class: "brand" }, "Lũy Tre"), languageSwitch()),
		el("h1", {}, title), children));
}

function passwordInput(autocomplete) {
	return el("input", { type: "password", autocomplete, required: true, maxlength: "256" });
}

function codeInput() {
	return el("input", { inputmode: "numeric", autocomplete: "one-time-code", maxlength: "6",
		pattern: "[0-9]{6}", class: "short" });
}

/* A form whose button is off while its call runs. */
function callForm(children, buttonText, work) {
	const place = el("div", { "aria-live": "polite" });
	const submit = el("button", { type: "submit", class: "primary" }, buttonText);
	const form = el("form", { novalidate: true, onsubmit: async (e) => {
		e.preventDefault();
		submit.disabled = true;
		await attempt(place, work);
		submit.disabled = false;
	} }, children, place, el("div", { class: "buttons" }, submit));
	return form;
}

/* Say at the first empty field that it is needed. Returns whether all are filled. */
function filled(...inputs) {
	let first = null;
	for (const input of inputs) {
		fieldError(input, input.value ? null : t("field.empty"));
		first = first || (input.value ? null : input);
	}
	if (first)
		first.focus();
	return !first;
}

async function showLogin(why) {
	shared.render = () => showLogin(why);
	const banner = el("p", { class: "banner" }, t("banner"));
	const name = el("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false",
		maxlength: "32", required: true });
	const word = passwordInput("off");
	const code = codeInput();
	const form = callForm([
		field(t("login.name"), name),
		field(t("login.password"), word),
		field(t("login.code"), code, t("login.code-hint")),
	], t("login.enter"), async () => {
		if (!filled(name, word))
			return;
		const body = { name: name.value.trim(), password: word.value.normalize("NFC") };
		if (code.value.trim())
			body.code = code.value.trim();
		word.value = "";
		code.value = "";
		takeSession(await call("POST", "/api/login", { body, what: t("wait.login") }));
		await afterLogin();
	});
	gate(t("login.title"), why ? notice("warn", t("session." + why)) : null, form, banner);
	name.focus();
	try {
		const answer = await call("GET", "/api/banner", { quiet: true });
		banner.textContent = answer[texts.lang] || t("banner");
	} catch {
		/* the built-in banner stays */
	}
}

async function afterLogin() {
	if (session.must === "password")
		showPassword();
	else if (session.must === "totp")
		showEnrol(await call("POST", "/api/totp/begin"));
	else
		await openApp();
}

/* Fields and call of a password change; done() runs when it is changed. */
function passwordForm(done) {
	const old = passwordInput("off");
	const next = passwordInput("off");
	const again = passwordInput("off");
	return callForm([
		field(t("password.old"), old),
		field(t("password.new"), next, t("password.rule")),
		field(t("password.again"), again),
	], t("password.change"), async () => {
		if (!filled(old, next, again))
			return;
		if (next.value !== again.value) {
			fieldError(again, t("password.differs"));
			again.focus();
			return;
		}
		takeSession(await call("POST", "/api/password", { body: {
			old: old.value.normalize("NFC"), new: next.value.normalize("NFC"),
		}, what: t("wait.password") }));
		for (const input of [old, next, again])
			input.value = "";
		await done();
	});
}

function showPassword() {
	shared.render = showPassword;
	gate(t("password.title"), el("p", {}, t("password.first")), passwordForm(afterLogin),
		leaveButton());
	document.querySelector("input").focus();
}

/* Secret of a second factor and the code that proves that it was taken over. */
function enrolForm(begun, done) {
	const code = codeInput();
	const groups = begun.secret.replace(/(.{4})/g, "$1 ").trim();
	return el("div", {},
		el("ol", { class: "steps" },
			el("li", {}, t("totp.step1")),
			el("li", {}, t("totp.step2"), el("p", {}, el("code", { class: "secret" }, groups)),
				el("details", {}, el("summary", {}, t("totp.uri")),
					el("p", {}, el("code", { class: "wrap" }, begun.uri)))),
			el("li", {}, t("totp.step3"))),
		callForm([field(t("totp.code"), code)], t("totp.confirm"), async () => {
			if (!filled(code))
				return;
			takeSession(await call("POST", "/api/totp/confirm", { body: { code: code.value.trim() } }));
			await done();
		}));
}

function showEnrol(begun) {
	shared.render = () => showEnrol(begun);
	gate(t("totp.title"), el("p", {}, t("totp.why")), enrolForm(begun, afterLogin), leaveButton());
	document.querySelector("input").focus();
}

function leaveButton() {
	return el("div", { class: "buttons" }, button(t("do.logout"), () => logout("left"), "link"));
}

/* End the session on the device, then show the login page with the reason. */
async function logout(why) {
	try {
		await call("POST", "/api/logout", { quiet: why !== "left" });
	} catch {
		/* it is over here in any case */
	}
	endSession(why);
}

function endSession(why) {
	hooks.ended = null;
	Object.assign(session, { name: "", role: "", must: "", csrf: "", may: [] });
	if (shared.appLoaded)
		leaveApp();
	showLogin(why);
}

function loadScript(path) {
	return new Promise((resolve, reject) => {
		const s = el("script", { src: path });
		s.addEventListener("load", resolve);
		s.addEventListener("error", () => reject(new ApiError("no-answer")));
		document.head.append(s);
	});
}

/* Fetch the application and start it. */
async function openApp() {
	if (!session.may.length)
		takeSession(await call("GET", "/api/session"));
	if (!shared.appLoaded) {
		await Promise.all([loadScript("/app.js"), loadTexts("/" + texts.lang + ".json")]);
		shared.appLoaded = true;
	} else {
		await loadTexts("/" + texts.lang + ".json");
	}
	hooks.ended = endSession;
	await startApp();
}

async function begin() {
	await useLanguage(storedLanguage());
	try {
		takeSession(await call("GET", "/api/session", { quiet: true }));
	} catch {
		await showLogin(null);
		return;
	}
	await afterLogin();
}

begin();
