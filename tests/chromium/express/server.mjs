// @clerk/express as it is published: every page says who its middleware found.
// The settings are in the environment; the first line of the output is the port.
import { clerkMiddleware, getAuth } from "@clerk/express";
import express from "express";

const app = express();
app.use(clerkMiddleware());
app.use((request, response) => {
  const auth = getAuth(request);
  const found = JSON.stringify({
    user_id: auth.userId,
    session_id: auth.sessionId,
    session_status: auth.sessionStatus,
    org_id: auth.orgId ?? null,
    org_role: auth.orgRole ?? null,
    org_slug: auth.orgSlug ?? null,
    org_permissions: auth.orgPermissions ?? null,
    factor_verification_age: auth.factorVerificationAge,
    actor: auth.actor ?? null,
  });
  // Browsers ask for an icon unless the page has one, and that request may renew a session, too.
  response.send(`<!doctype html><link rel="icon" href="data:,"><pre>${found}</pre>`);
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
