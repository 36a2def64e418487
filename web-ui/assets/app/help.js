/*
 * Help: what to do when ... The topics are texts; each has a heading and
 * paragraphs separated by "|".
 */
const HELP = ["allow", "broke", "closed", "refused", "trial", "sign", "alarm", "soc", "login",
	"certificate", "power", "secret"];

function showHelp() {
	return [el("h1", {}, t("nav.help")), el("p", { class: "hint" }, t("help.hint")),
		HELP.map((topic) => el("details", { class: "card" },
			el("summary", {}, t("help." + topic)),
			t("help." + topic + ".text").split("|").map((p) => el("p", {}, p.trim()))))];
}
