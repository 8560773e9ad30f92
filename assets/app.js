/*
 * Corgi's page: log in, take the token apart, call the guarded routes, renew
 * the session and end it.
 *
 * The tokens live in this module's variables and in the text area, nowhere
 * else. Whatever came from outside reaches the page as text, never as markup.
 */

import {
	CLAIM_WORDS, HEADER_WORDS, TIMES, alterAlgorithm, alterPayload,
	alterSignature, decodeBytes, decodeSegment, isTime, tryDecode,
} from "/token.js";

const ANSWERS_KEPT = 50;
const WAIT_MS = 15000;
const SHORT_LIFE_S = 60;

const HEADERS_SHOWN = [
	"WWW-Authenticate", "Cache-Control", "Allow", "Retry-After",
];

const TIME_FORMAT = new Intl.DateTimeFormat(undefined,
    { dateStyle: "medium", timeStyle: "medium" });

const find = (id) => document.getElementById(id);

const tokenBox = find("token");
const loginForm = find("login");
const loginButton = find("login-button");
const answers = find("answers");

/* The access token as the service issued it, to be put back after an
 * alteration; the refresh token that counts, and the one it took the place
 * of. */
let issued = "";
let refreshToken = "";
let usedToken = "";

/* The request behind an entry of the log. */
const requests = new WeakMap();

/* What the service's clock is ahead of this machine's, in seconds. */
let clockAhead = 0;

/* Small builders: text only. */

function element(tag, className, text) {
	const node = document.createElement(tag);

	if (className)
		node.className = className;
	if (text !== undefined)
		node.textContent = text;
	return node;
}

function say(id, text, kind) {
	const node = find(id);

	node.textContent = text;
	node.className = kind ? `message ${kind}` : "message";
}

/* Times. */

const serviceNow = () => Date.now() / 1000 + clockAhead;

/*
 * A browser's clock may be wrong; the life of a token is counted by the
 * service's. The Date header has whole seconds, so less is no difference.
 */
function learnClock(headers) {
	const date = Date.parse(headers.get("Date") ?? "");

	if (Number.isNaN(date))
		return;
	const ahead = (date - Date.now()) / 1000;
	clockAhead = Math.abs(ahead) > 2 ? ahead : 0;
}

function duration(seconds) {
	const s = Math.floor(seconds);
	const units = [
		[Math.floor(s / 86400), "d"],
		[Math.floor(s / 3600) % 24, "h"],
		[Math.floor(s / 60) % 60, "min"],
		[s % 60, "s"],
	];
	const first = units.findIndex(([n]) => n > 0);

	if (first === -1)
		return "0 s";
	return units.slice(first, first + 2)
	    .map(([n, unit]) => `${n} ${unit}`).join(" ");
}

/* Showing it. */

function timeOf(seconds) {
	const when = new Date(seconds * 1000);
	const time = element("time", "", TIME_FORMAT.format(when));

	time.dateTime = when.toISOString();
	return time;
}

function claimRow(name, value, words) {
	const row = element("div", "claim");
	const dd = element("dd");
	const text = typeof value === "string" ? value : JSON.stringify(value);

	row.append(element("dt", "", name));
	dd.append(element("code", "", text));
	if (TIMES.has(name) && isTime(value))
		dd.append(" is ", timeOf(value));
	dd.append(element("p", "claim-words", words));
	row.append(dd);
	return row;
}

function showObject(id, segment, words, unknown) {
	const body = find(id);
	let value;

	try {
		value = decodeSegment(segment);
	} catch (error) {
		body.replaceChildren(element("p", "fault", error.message));
		return;
	}
	const list = element("dl", "claims");
	const names = new Set([...words.keys(), ...Object.keys(value)]);
	for (const name of names)
		if (Object.hasOwn(value, name))
			list.append(claimRow(name, value[name],
			    words.get(name) ?? unknown));
	const raw = element("details");
	raw.append(element("summary", "", "As JSON"),
	    element("pre", "", JSON.stringify(value, null, 2)));
	body.replaceChildren(list, raw);
}

function showSignature(segment) {
	const body = find("signature-body");
	let words;

	try {
		const size = decodeBytes(segment).length;

		words = size === 0 ? "There is none."
		    : `${size} bytes. Only the service can tell whether they fit: `
		    + "this page does not have the key.";
	} catch (error) {
		body.replaceChildren(element("p", "fault", error.message));
		return;
	}
	body.replaceChildren(element("p", "words", words));
}

function showToken() {
	const token = currentToken();
	const [header = "", payload = "", ...rest] = token.split(".");
	const signature = rest.join(".");

	find("parts").hidden = token === "";
	showLife();
	if (token === "")
		return;
	find("header-segment").textContent = header || "(empty)";
	find("payload-segment").textContent = payload || "(empty)";
	find("signature-segment").textContent = signature || "(empty)";
	showObject("header-body", header, HEADER_WORDS,
	    "Not a member this page has words for.");
	showObject("payload-body", payload, CLAIM_WORDS,
	    "Not a claim this page has words for.");
	showSignature(signature);
}

/* The remaining life; runs every second, so it must not speak aloud. */
function showLife() {
	const claims = tryDecode(currentToken().split(".")[1] ?? "");
	const life = find("life");

	life.hidden = !claims || !isTime(claims.exp);
	if (life.hidden)
		return;
	const left = claims.exp - serviceNow();
	const whole = isTime(claims.iat) ? claims.exp - claims.iat : left;
	const text = left > 0
	    ? [element("strong", "", duration(Math.ceil(left))), " left"]
	    : [element("strong", "", "Expired"), ` ${duration(-left)} ago`];

	find("life-text").replaceChildren(...text);
	find("life-bar").max = Math.max(whole, 1);
	find("life-bar").value = Math.min(Math.max(left, 0), Math.max(whole, 1));
	life.classList.toggle("short", left <= SHORT_LIFE_S);
	life.classList.toggle("over", left <= 0);
}

/* The refresh token, in the words of a sentence. */
function showSession() {
	const claims = tryDecode(refreshToken.split(".")[1] ?? "");
	const state = find("session-state");
	const words = [];

	find("used").hidden = usedToken === "";
	if (refreshToken === "") {
		state.textContent = "There is no refresh token yet: log in.";
		return;
	}
	words.push("The page holds the refresh token ",
	    element("code", "", shorten("", refreshToken)), ".");
	if (isTime(claims?.exp))
		words.push(" It is good until ", timeOf(claims.exp), ".");
	state.replaceChildren(...words);
}

/* Holding it. */

const currentToken = () => tokenBox.value.trim();

function setToken(token) {
	tokenBox.value = token;
	showToken();
}

/* What a login or a refresh has brought. */
function takeTokens(data) {
	usedToken = refreshToken;
	issued = String(data.access_token);
	refreshToken = String(data.refresh_token ?? "");
	setToken(issued);
	showSession();
	say("token-message", "");
}

function forgetTokens() {
	issued = refreshToken = usedToken = "";
	for (const entry of answers.children) {
		const request = requests.get(entry);

		if (request.token)
			request.token = null;
	}
	setToken("");
	showSession();
	say("session-message", "");
	say("token-message", "The tokens are forgotten.");
}

/* Altering it, to see it refused. */

function alter(change, words) {
	const parts = currentToken().split(".");

	if (parts.length !== 3 || !change(parts)) {
		say("token-message",
		    "There is no whole token to alter: log in first.", "bad");
		return;
	}
	setToken(parts.join("."));
	say("token-message", words);
}

function restoreToken() {
	if (issued === "") {
		say("token-message", "No token has been issued to this page yet.",
		    "bad");
		return;
	}
	setToken(issued);
	say("token-message", "This is the token as it was issued.");
}

/* Asking the service. */

/*
 * Send a request {method, path, token?, username?}. The body is apart, for
 * the log keeps the request and must not keep a password. Always resolves:
 * status 0 with a reason when no answer came.
 */
async function ask(request, body) {
	const headers = {};
	const start = performance.now();
	const answer = { status: 0, headers: new Headers(), data: null };

	if (request.token)
		headers.Authorization = `Bearer ${request.token}`;
	if (body !== undefined)
		headers["Content-Type"] = "application/json";
	try {
		const reply = await fetch(request.path, {
			method: request.method,
			headers,
			body,
			cache: "no-store",
			credentials: "omit",
			redirect: "error",
			signal: AbortSignal.timeout(WAIT_MS),
		});
		const text = await reply.text();

		answer.status = reply.status;
		answer.reason = reply.statusText;
		answer.headers = reply.headers;
		answer.text = text;
		answer.data = parseOrNull(text);
		learnClock(reply.headers);
	} catch (error) {
		answer.text = error.name === "TimeoutError"
		    ? `No answer within ${WAIT_MS / 1000} seconds.`
		    : "The request could not be sent, or was not answered.";
	}
	answer.ms = performance.now() - start;
	logAnswer(request, answer);
	return answer;
}

function parseOrNull(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

/* The one line in an answer that says what is wrong, in either dialect. */
function reasonOf(answer) {
	const { data } = answer;
	const words = [data?.msg, data?.error, data?.detail, data?.title]
	    .find((text) => typeof text === "string" && text !== "");
	const retry = answer.headers.get("Retry-After");
	const text = words ?? answer.text ?? "";

	return retry ? `${text} (try again in ${retry} s)` : text;
}

async function login(event) {
	event.preventDefault();
	if (loginButton.getAttribute("aria-disabled") === "true")
		return;
	const fields = new FormData(loginForm);
	const username = fields.get("username");
	const password = fields.get("password");

	loginButton.setAttribute("aria-disabled", "true");
	say("login-message", "Asking…");
	const answer = await ask({ method: "POST", path: "/login", username },
	    JSON.stringify({ username, password }));
	loginButton.removeAttribute("aria-disabled");
	showFieldFaults(answer.data?.error ?? answer.data?.errors);
	if (answer.status === 200 && !answer.data?.access_token) {
		say("login-message", "The service gives tokens in cookies only, "
		    + "which this page does not use.", "bad");
		return;
	}
	if (answer.status !== 200) {
		say("login-message", fieldFaults(answer) ? "Look at the fields above."
		    : reasonOf(answer), "bad");
		return;
	}
	find("password").value = "";
	refreshToken = "";
	takeTokens(answer.data);
	say("login-message", "Logged in: the tokens are below.", "good");
	say("session-message", "");
}

function fieldFaults(answer) {
	const faults = answer.data?.error ?? answer.data?.errors;

	return answer.status === 400 && typeof faults === "object"
	    && faults !== null && (faults.username || faults.password);
}

function showFieldFaults(faults) {
	for (const name of ["username", "password"]) {
		const words = [].concat(faults?.[name] ?? []).join(" ");

		find(`${name}-fault`).textContent = words;
		find(name).toggleAttribute("aria-invalid", false);
		if (words !== "")
			find(name).setAttribute("aria-invalid", "true");
	}
}

async function call(event) {
	const { path, with: kind } = event.currentTarget.dataset;
	const request = { method: "GET", path };

	if (kind === "token") {
		request.token = currentToken();
		if (request.token === "") {
			say("call-message",
			    "There is no token yet: log in, or paste one.", "bad");
			return;
		}
	}
	const answer = await ask(request);
	const good = answer.status === 200;

	say("call-message", `${path}: ${answer.status || "no answer"}. `
	    + (good ? answer.data?.message ?? "" : reasonOf(answer)),
	    good ? "good" : "bad");
}

/* The session. */

/* A button of this section: what to ask, and what to say about it. */
const SESSION_ACTS = new Map([
	["me", { method: "GET", path: "/me",
	    said: (data) => `You are ${data?.sub}.` }],
	["refresh", { method: "POST", path: "/refresh",
	    said: () => "New tokens: the access token is above, and the refresh "
	        + "token before is used up." }],
	["used", { method: "POST", path: "/refresh",
	    said: () => "So soon after its use it brings the same successor: two "
	        + "tabs are no theft. Later it is." }],
	["logout", { method: "DELETE", path: "/logout",
	    said: () => "Logged out. The page still has the tokens: see what they "
	        + "are worth." }],
	["logout-all", { method: "DELETE", path: "/logout-all",
	    said: () => "Logged out in every browser. The page still has the "
	        + "tokens: see what they are worth." }],
]);

async function act(name) {
	const { method, path, said } = SESSION_ACTS.get(name);
	const request = { method, path };

	if (path === "/refresh") {
		request.token = name === "used" ? usedToken : refreshToken;
		request.variable = "REFRESH_TOKEN";
	} else {
		request.token = currentToken();
	}
	if (request.token === "") {
		say("session-message", "There is no token yet: log in.", "bad");
		return;
	}
	const answer = await ask(request);

	if (answer.status !== 200) {
		say("session-message", `${path}: ${answer.status || "no answer"}. `
		    + reasonOf(answer), "bad");
		return;
	}
	/* Unless another refresh was faster, or the tokens are forgotten. */
	if (name === "refresh" && request.token === refreshToken)
		takeTokens(answer.data);
	say("session-message", said(answer.data), "good");
}

/* The log. */

/* A token in a body is shown cut down: the page has it whole further up. */
function shorten(key, value) {
	if (typeof value !== "string" || value.length < 60
	    || value.split(".").length !== 3)
		return value;
	return `${value.slice(0, 12)}…${value.slice(-6)}`
	    + ` (${value.length} characters)`;
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/* The same request for a shell. A password is never put in. */
function curl(request) {
	const words = ["curl -i"];

	if (request.method !== "GET")
		words.push(`-X ${request.method}`);
	if (request.username !== undefined) {
		const { username } = request;
		const sample = JSON.stringify({ username, password: "PASSWORD" });

		words.push("-H 'Content-Type: application/json'",
		    `--data ${quote(sample)}`);
	}
	if (request.token)
		words.push(`-H ${quote(`Authorization: Bearer ${request.token}`)}`);
	else if (request.token === null)
		words.push(`-H "Authorization: Bearer $${request.variable
		    ?? "TOKEN"}"`);
	words.push(quote(location.origin + request.path));
	return words.join(" ");
}

async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		/* No clipboard outside a secure context, or no leave to use it. */
		return false;
	}
}

function curlButton(request, entry) {
	const button = element("button", "small", "Copy as curl");

	button.type = "button";
	button.append(element("span", "unseen",
	    `: ${request.method} ${request.path}`));
	button.addEventListener("click", async () => {
		const command = curl(request);
		const label = button.firstChild;

		entry.querySelector(".curl")?.remove();
		if (!await copy(command)) {
			const pre = element("pre", "curl", command);

			entry.append(pre);
			getSelection().selectAllChildren(pre);
			return;
		}
		label.data = request.username === undefined ? "Copied"
		    : "Copied: put the password in";
		setTimeout(() => {
			label.data = "Copy as curl";
		}, 2000);
	});
	return button;
}

function headerLines(headers) {
	return HEADERS_SHOWN.filter((name) => headers.has(name))
	    .map((name) => `${name}: ${headers.get(name)}`).join("\n");
}

function logAnswer(request, answer) {
	const kind = answer.status >= 200 && answer.status < 300 ? "good"
	    : answer.status === 0 || answer.status >= 500 ? "bad" : "refused";
	const entry = element("li", `answer ${kind}`);
	const line = element("div", "answer-line");
	const status = answer.status === 0 ? "No answer"
	    : `${answer.status} ${answer.reason ?? ""}`.trim();
	const facts = [`${answer.ms.toFixed(answer.ms < 10 ? 1 : 0)} ms`,
	    new Date().toLocaleTimeString()];

	if (request.username === undefined)
		facts.unshift(!request.token ? "without a token"
		    : request.variable ? "with a refresh token" : "with a token");
	line.append(element("span", "status", status),
	    element("code", "", `${request.method} ${request.path}`));
	entry.dataset.status = answer.status;
	entry.append(line, element("p", "answer-facts", facts.join(" · ")));
	const shown = headerLines(answer.headers);
	if (shown !== "")
		entry.append(element("pre", "", shown));
	entry.append(element("pre", "", answer.data === null ? answer.text
	    : JSON.stringify(answer.data, shorten, 2)),
	curlButton(request, entry));
	requests.set(entry, request);
	answers.prepend(entry);
	answers.closest(".answers").scrollTop = 0;
	while (answers.childElementCount > ANSWERS_KEPT)
		answers.lastElementChild.remove();
	find("answers-empty").hidden = true;
}

function clearAnswers() {
	answers.replaceChildren();
	find("answers-empty").hidden = false;
}

/* Wiring. */

function onClick(id, handler) {
	find(id).addEventListener("click", handler);
}

loginForm.addEventListener("submit", login);
tokenBox.addEventListener("input", showToken);
onClick("tamper-signature", () => alter(alterSignature,
    "One character of the signature is changed. Call a route with it."));
onClick("tamper-payload", () => alter(alterPayload,
    "The payload names somebody else now. Call a route with it."));
onClick("tamper-alg", () => alter(alterAlgorithm,
    "It claims to need no signature now. Call a route with it."));
onClick("restore", restoreToken);
onClick("forget", forgetTokens);
for (const name of SESSION_ACTS.keys())
	onClick(name, () => act(name));
onClick("clear", clearAnswers);
for (const button of document.querySelectorAll("[data-path]"))
	button.addEventListener("click", call);
setInterval(showLife, 1000);
showToken();
showSession();
