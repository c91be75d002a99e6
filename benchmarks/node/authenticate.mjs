// Answers questions about @clerk/backend, one line of JSON each, until standard input ends:
// what it decides about requests, and how many seconds one of them takes on average.
// Usage: node authenticate.mjs DIRECTORY-WITH-NODE_MODULES, the settings being the first line.

import { createPublicKey, verify } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "package.json"));
const { createClerkClient } = require("@clerk/backend");
const { version } = require("@clerk/backend/package.json");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => {
  const { value, done } = await lines.next();
  return done ? null : JSON.parse(value);
};
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

const settings = await next();
const clerk = createClerkClient({
  secretKey: settings.secretKey,
  publishableKey: settings.publishableKey,
  apiUrl: settings.apiUrl,
  telemetry: { disabled: true },
});
const parties = { authorizedParties: [settings.origin] };
const modes = {
  networkless: { ...parties, jwtKey: settings.pem },
  remote: parties,
};
const key = createPublicKey(settings.pem);
const signature = Buffer.from(settings.signature, "base64");
const signed = Buffer.from(settings.signed);

const requestsOf = (all) => all.map((headers) => new Request(settings.url, { headers }));

const decide = async ({ mode, requests }) => {
  const decisions = [];
  for (const request of requestsOf(requests)) {
    const state = await clerk.authenticateRequest(request, modes[mode]);
    decisions.push(state.isSignedIn ? `signed-in ${state.toAuth().userId}` : state.reason);
  }
  return decisions;
};

const time = async ({ mode, requests }) => {
  let taken = 0;
  for (const request of requestsOf(requests)) {
    const started = performance.now();
    await clerk.authenticateRequest(request, modes[mode]);
    taken += performance.now() - started;
  }
  return taken / 1000 / requests.length;
};

const timeBare = ({ batch }) => {
  let taken = 0;
  for (let number = 0; number < batch; number += 1) {
    const started = performance.now();
    if (!verify("RSA-SHA256", signed, key, signature)) throw new Error("not verified");
    taken += performance.now() - started;
  }
  return taken / 1000 / batch;
};

const questions = { decide, time, timeBare };
say({ version, node: process.version });
for (let question = await next(); question; question = await next()) {
  say(await questions[question.ask](question));
}
