/*
 * Building blocks of every page: texts, elements, numbers, times, icons.
 * Everything that comes from the device is set as text, never as markup.
 */
const texts = { lang: "vi", map: {} };
const SVG_NS = "http://www.w3.org/2000/svg";

/* The text of a key in the chosen language; {name} is replaced by values.name. */
function t(key, values) {
	const text = Object.hasOwn(texts.map, key) ? texts.map[key] : "⟦" + key + "⟧";
	if (!values)
		return text;
	return text.replace(/\{(\w+)\}/g, (all, name) =>
		Object.hasOwn(values, name) ? String(values[name]) : all);
}

/* A text that may be missing: the key's, or what is given instead. */
function tOr(key, other) {
	return Object.hasOwn(texts.map, key) ? texts.map[key] : other;
}

/* Characters that turn the direction of writing or do not show could make a text look
 * like another one: they are written out. */
function visible(text) {
	return text.replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
		(c) => "‹U+" + c.charCodeAt(0).toString(16).toUpperCase() + "›");
}

function append(node, children) {
	for (const c of children.flat(Infinity)) {
		if (c === null || c === undefined || c === false)
			continue;
		node.append(c instanceof Node ? c : visible(String(c)));
	}
	return node;
}

/*
 * One element. Attributes: on* are handlers, true stands for an empty
 * attribute; null, undefined and false leave it out.
 */
function el(tag, attrs, ...children) {
	return dress(document.createElement(tag), attrs, children);
}

function svg(tag, attrs, ...children) {
	return dress(document.createElementNS(SVG_NS, tag), attrs, children);
}

function dress(node, attrs, children) {
	for (const [name, value] of Object.entries(attrs || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (name.startsWith("on"))
			node.addEventListener(name.slice(2), value);
		else if (name === "value")
			node.value = value;
		else
			node.setAttribute(name, value === true ? "" : value);
	}
	return append(node, children);
}

let idCount = 0;

function newId(stem) {
	idCount++;
	return stem + "-" + idCount;
}

function locale() {
	return texts.lang === "vi" ? "vi-VN" : "en-GB";
}

function number(n) {
	return Number(n).toLocaleString(locale());
}

/* A number or size in a table: never broken in two. */
function amount(text) {
	return el("span", { class: "num" }, text);
}

function bytesText(n) {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let u = 0;
	while (n >= 1000 && u < units.length - 1) {
		n /= 1000;
		u++;
	}
	return n.toLocaleString(locale(), { maximumFractionDigits: n < 10 && u ? 1 : 0 })
		+ " " + units[u];
}

/* A moment of the device's clock (Unix seconds), in the reader's zone. */
function timeText(seconds) {
	return new Date(seconds * 1000).toLocaleString(locale(), {
		year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
	});
}

/* A span of time in the two largest units. */
function spanText(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	const parts = [["time.day", 86400], ["time.hour", 3600], ["time.minute", 60]];
	for (let i = 0; i < parts.length; i++) {
		const [key, size] = parts[i];
		if (s < size)
			continue;
		const rest = s % size;
		const next = i + 1 < parts.length
			? [Math.floor(rest / parts[i + 1][1]), parts[i + 1][0]] : [rest, "time.second"];
		return Math.floor(s / size) + " " + t(key)
			+ (next[0] ? " " + next[0] + " " + t(next[1]) : "");
	}
	return s + " " + t("time.second");
}

/* Minutes and seconds of a countdown: 4:07. */
function clockText(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
}

/* A word with its colour: kind is ok, warn, bad or off. */
function stateWord(kind, text) {
	return el("span", { class: "state " + kind }, text);
}

/* A coloured box with a message; kind as for stateWord, or info. */
function notice(kind, ...children) {
	return el("div", { class: "notice " + kind, role: kind === "bad" ? "alert" : "status" },
		children);
}

function button(text, onclick, kind, attrs) {
	return el("button", { type: "button", class: kind || "", onclick, ...attrs }, text);
}

/* Label, hint and field together; the error of the field goes below it. */
function field(label, input, hint) {
	input.id = input.id || newId("f");
	const hintId = hint ? newId("h") : null;
	if (hintId)
		input.setAttribute("aria-describedby", hintId);
	return el("div", { class: "field" },
		el("label", { for: input.id }, label),
		hint ? el("p", { class: "hint", id: hintId }, hint) : null,
		input);
}

/* Say at a field what is wrong with it and how to mend it; null takes it away. */
function fieldError(input, text) {
	const box = input.closest(".field") || input.parentNode;
	const old = box.querySelector(".error");
	if (old)
		old.remove();
	input.removeAttribute("aria-invalid");
	if (!text)
		return;
	input.setAttribute("aria-invalid", "true");
	box.append(el("p", { class: "error", role: "alert" }, text));
}

/*
 * A field for a file whose words are in the reader's language, unlike the
 * browser's own. taken(file) runs when one was chosen. {node, input}.
 */
function fileField(label, hint, accept, taken) {
	const name = el("span", { role: "status" }, t("file.none"));
	const input = el("input", { type: "file", accept, hidden: true, tabindex: "-1" });
	const choose = button(t("file.choose"), () => input.click(), "", { "aria-label": t("file.choose") + " " + label });
	input.addEventListener("change", () => {
		name.textContent = input.files.length ? input.files[0].name : t("file.none");
		fieldError(input, null);
		taken(input.files[0] || null);
	});
	return { input, node: el("div", { class: "field" }, el("div", { class: "label" }, label),
		hint ? el("p", { class: "hint" }, hint) : null, el("div", { class: "file" }, choose, name), input) };
}

function table(heads, rows, attrs) {
	return el("div", { class: "scroll", tabindex: "0", role: "region", ...attrs },
		el("table", {},
			el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
			el("tbody", {}, rows.map((r) => el("tr", {},
				r.map((c, i) => el(i ? "td" : "th",
					i ? { "data-head": heads[i] } : { scope: "row" }, c)))))));
}

/* Term and description, two columns. */
function facts(pairs) {
	return el("dl", { class: "facts" }, pairs.filter((p) => p).map(([k, v]) =>
		el("div", {}, el("dt", {}, k), el("dd", {}, v))));
}

function card(title, ...children) {
	return el("section", { class: "card" }, title ? el("h2", {}, title) : null, children);
}

/* Ask before something that cannot be taken back. Resolves to true or false. */
function ask(title, body, yes, kind) {
	return new Promise((resolve) => {
		const close = (answer) => {
			dialog.close();
			dialog.remove();
			resolve(answer);
		};
		const titleId = newId("t");
		const dialog = el("dialog", { "aria-labelledby": titleId },
			el("h2", { id: titleId }, title), body,
			el("div", { class: "buttons" },
				button(yes, () => close(true), kind || "primary"),
				button(t("do.cancel"), () => close(false))));
		dialog.addEventListener("cancel", (e) => {
			e.preventDefault();
			close(false);
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}

/* Hand a file to the person: exactly these bytes. */
function saveFile(name, bytes) {
	const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
	const a = el("a", { href: url, download: name, hidden: true });
	document.body.append(a);
	a.click();
	a.remove();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
}
