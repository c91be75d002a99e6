// Express on a free port of 127.0.0.1, alone or with @clerk/express before it; prints the port.
// Usage: node express.mjs DIRECTORY-WITH-NODE_MODULES bare|clerk, the settings in the environment.

import { createRequire } from "node:module";
import { join } from "node:path";

const [, , directory, kind] = process.argv;
const require = createRequire(join(directory, "package.json"));
const express = require("express");
const { clerkMiddleware, getAuth } = require("@clerk/express");

const app = express();
app.set("trust proxy", true);
if (kind === "clerk") {
  app.use(clerkMiddleware({ authorizedParties: [process.env.CLERK_AUTHORIZED_PARTIES] }));
}
app.get("/who", (request, response) => {
  response.type("text").send(kind === "clerk" ? getAuth(request).userId ?? "" : "");
});
app.get("/", (request, response) => {
  response.type("text").send("hello");
});
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
