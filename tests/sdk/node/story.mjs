// A program that uses the Auth0 SDK of Node, and says of every step that it held.
//
// It builds up a tenant, takes roles away from a user as journey 5 does, and takes the tenant down again. It reads
// AUTH0_DOMAIN, AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, and runs in the folder where `make setup` put the SDK.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { Management, ManagementClient, ManagementError, TokenProvider } = require("auth0");
const { createRemoteJWKSet, jwtVerify } = require("jose");

const domain = process.env.AUTH0_DOMAIN;
const clientId = process.env.AUTH0_CLIENT_ID;
const clientSecret = process.env.AUTH0_CLIENT_SECRET;
const ISSUER = `https://${domain}/`;
const MANAGEMENT = `https://${domain}/api/v2/`;

const API = "https://docs.example.org/v1/";
const CONNECTION = "Username-Password-Authentication";
const PASSWORD = "correct-Horse-1";
const PASSWORD_GRANT = "http://auth0.com/oauth/grant-type/password-realm";
const NOBODY = "auth0|000000000000000000000000";

const auth0 = new ManagementClient({ domain, clientId, clientSecret });
const keys = createRemoteJWKSet(new URL(`https://${domain}/.well-known/jwks.json`));

async function main() {
  done(`node-auth0 ${JSON.parse(readFileSync("node_modules/auth0/package.json", "utf8")).version}`);
  await tokens();
  await apis();
  await users();
  await roles();
  await journey();
  await directPermissions();
  await clients();
  await clientGrants();
  await connections();
  await organizations();
  await pages();
}

// A token of the Management API is a JWT that anybody can verify with the published keys.
async function tokens() {
  const token = await new TokenProvider({ domain, clientId, clientSecret, audience: MANAGEMENT }).getAccessToken();
  done("client credentials");

  const claims = await verified(token, MANAGEMENT);
  assert.equal(claims.sub, `${clientId}@clients`);
  assert.equal(claims.azp, clientId);
  assert.equal(claims.gty, "client-credentials");
  assert.ok(claims.exp > claims.iat);
  for (const scope of ["update:users", "read:roles", "delete:role_members"]) {
    assert.ok(claims.scope.split(" ").includes(scope), scope);
  }
  done("published keys");

  const wrong = new ManagementClient({ domain, clientId, clientSecret: "wrong" });
  assert.deepEqual(await denied(401, wrong.users.list()), { error: "access_denied", error_description: "Unauthorized" });
  done("wrong secret");

  const audience = "https://unknown.example.org/";
  const unknown = await denied(403, new TokenProvider({ domain, clientId, clientSecret, audience }).getAccessToken());
  assert.equal(unknown.error, "access_denied");
  assert.equal(unknown.error_description, `Service not enabled within domain: ${audience}`);
  done("unknown audience");

  const [head, payload, signature] = token.split(".");
  const forged = new ManagementClient({
    domain,
    token: [head, payload, [...signature].reverse().join("")].join("."),
  });
  assert.equal((await refused(Management.UnauthorizedError, forged.users.list())).error, "Unauthorized");
  done("forged token");
}

// APIs are found by id and by identifier, keep their scopes in order, and have RBAC switched on.
async function apis() {
  let scopes = [{ value: "write:docs", description: "change" }, { value: "read:docs" }];
  const made = await auth0.resourceServers.create({ identifier: API, name: "Documents", scopes });
  assert.deepEqual(
    [made.identifier, made.name, made.signing_alg, made.token_lifetime, made.enforce_policies],
    [API, "Documents", "RS256", 86400, undefined],
  );
  assert.deepEqual(made.scopes, scopes);
  done("resource_servers.create");

  assert.deepEqual((await auth0.resourceServers.get(made.id)).scopes, scopes);
  assert.equal((await auth0.resourceServers.get(API)).id, made.id);
  const missing = await refused(Management.NotFoundError, auth0.resourceServers.get("0".repeat(24)));
  assert.equal(missing.errorCode, "inexistent_resource_server");
  done("resource_servers.get");

  scopes = [{ value: "delete:docs" }, ...scopes];
  const changed = await auth0.resourceServers.update(made.id, {
    scopes,
    enforce_policies: true,
    token_dialect: "access_token_authz",
  });
  assert.deepEqual(changed.scopes, scopes);
  assert.deepEqual([changed.enforce_policies, changed.token_dialect], [true, "access_token_authz"]);
  done("resource_servers.update");

  const other = await auth0.resourceServers.create({ identifier: "https://other.example.org/" });
  const every = (await all(auth0.resourceServers.list({ per_page: 1 }))).map((api) => api.identifier);
  for (const identifier of [API, other.identifier, MANAGEMENT]) {
    assert.ok(every.includes(identifier), identifier);
  }
  const both = await auth0.resourceServers.list({ identifiers: [API, other.identifier] });
  assert.deepEqual([both.data.length, both.response.total], [2, 2]);
  const [system] = (await auth0.resourceServers.list({ identifiers: [MANAGEMENT] })).data;
  assert.deepEqual([system.name, system.is_system], ["Auth0 Management API", true]);
  done("resource_servers.list");

  await refused(Management.ConflictError, auth0.resourceServers.create({ identifier: API }));
  done("resource_servers: conflict");

  await auth0.resourceServers.delete(other.identifier);
  await auth0.resourceServers.delete(other.id); // what is gone may be deleted again
  await refused(Management.NotFoundError, auth0.resourceServers.get(other.id));
  assert.equal((await refused(ManagementError, auth0.resourceServers.delete(system.id))).statusCode, 400);
  done("resource_servers.delete");
}

// People are made, found, changed and deleted.
async function users() {
  const credentials = { connection: CONNECTION, password: PASSWORD };
  const ann = await auth0.users.create({
    ...credentials,
    email: "Ann@example.org",
    name: "Ann Example",
    user_metadata: { colour: "red", size: 3 },
    app_metadata: { plan: "free" },
  });
  assert.match(ann.user_id, /^auth0\|/);
  assert.deepEqual(
    [ann.email, ann.email_verified, ann.name, ann.nickname],
    ["ann@example.org", false, "Ann Example", "ann"],
  );
  assert.ok(Date.parse(ann.created_at) <= Date.parse(ann.updated_at));
  const [identity] = ann.identities;
  assert.equal(`${identity.provider}|${identity.user_id}`, ann.user_id);
  assert.deepEqual([identity.connection, identity.isSocial], [CONNECTION, false]);
  const named = await auth0.users.create({ ...credentials, email: "named@example.org", user_id: "of-my-own" });
  assert.equal(named.user_id, "auth0|of-my-own");
  done("users.create");

  assert.deepEqual(
    await refused(Management.ConflictError, auth0.users.create({ ...credentials, email: "ann@example.org" })),
    { statusCode: 409, error: "Conflict", message: "The user already exists.", errorCode: "auth0_idp_error" },
  );
  await refused(
    Management.BadRequestError,
    auth0.users.create({ connection: "no-such", email: "x@example.org", password: PASSWORD }),
  );
  done("users: conflict");

  const seen = await auth0.users.get(ann.user_id);
  assert.deepEqual([seen.email, seen.user_metadata], ["ann@example.org", { colour: "red", size: 3 }]);
  const part = await auth0.users.get(ann.user_id, { fields: "email,name", include_fields: true });
  assert.deepEqual(part, { email: "ann@example.org", name: "Ann Example" });
  const missing = await refused(Management.NotFoundError, auth0.users.get(NOBODY));
  assert.deepEqual([missing.errorCode, missing.message], ["inexistent_user", "The user does not exist."]);
  done("users.get");

  const changed = await auth0.users.update(ann.user_id, {
    nickname: "annie",
    user_metadata: { colour: null, shape: "round" },
  });
  assert.deepEqual([changed.nickname, changed.user_metadata], ["annie", { size: 3, shape: "round" }]);
  assert.equal((await auth0.users.update(ann.user_id, { blocked: true })).blocked, true);
  assert.equal((await auth0.users.update(ann.user_id, { blocked: false })).blocked, false);
  await refused(Management.NotFoundError, auth0.users.update(NOBODY, { name: "Nobody" }));
  done("users.update");

  const byEmail = await auth0.users.listUsersByEmail({ email: "ANN@example.org" });
  assert.deepEqual(ids(byEmail, "user_id"), [ann.user_id]);
  assert.deepEqual(await auth0.users.listUsersByEmail({ email: "nobody@example.org" }), []);
  done("users.list_users_by_email");

  const every = ids(await all(auth0.users.list({ per_page: 1 })), "user_id");
  assert.ok(every.includes(ann.user_id) && every.includes(named.user_id));
  const found = await auth0.users.list({ q: 'email:"ann@example.org"', search_engine: "v3" });
  assert.deepEqual([ids(found.data, "user_id"), found.response.total], [[ann.user_id], 1]);
  const first = (await auth0.users.list({ sort: "email:1", per_page: 1 })).response;
  assert.deepEqual([ids(first.users, "user_id"), first.start, first.limit, first.length], [[ann.user_id], 0, 1, 1]);
  done("users.list");

  // What is gone may be deleted again.
  await deleteEach(auth0.users, ann.user_id, named.user_id, named.user_id);
  await refused(Management.NotFoundError, auth0.users.get(ann.user_id));
  done("users.delete");
}

// Roles carry permissions of APIs, and people have them.
async function roles() {
  const made = await auth0.roles.create({ name: "Editor" });
  assert.deepEqual([made.name, made.description], ["Editor", undefined]);
  const other = await auth0.roles.create({ name: "Reader", description: "looks" });
  assert.equal(other.description, "looks");
  done("roles.create");

  const twice = await refused(Management.ConflictError, auth0.roles.create({ name: "Editor" }));
  assert.equal(twice.message, "The role already exists.");
  done("roles: conflict");

  assert.equal((await auth0.roles.get(made.id)).description, "");
  const missing = await refused(Management.NotFoundError, auth0.roles.get("rol_0000000000000000"));
  assert.equal(missing.message, "The role does not exist.");
  done("roles.get");

  const changed = await auth0.roles.update(made.id, { name: "Chief editor", description: "decides" });
  assert.deepEqual([changed.id, changed.name, changed.description], [made.id, "Chief editor", "decides"]);
  done("roles.update");

  const names = ids(await all(auth0.roles.list({ per_page: 1 })), "name");
  assert.ok(names.includes("Chief editor") && names.includes("Reader"));
  const filtered = await auth0.roles.list({ name_filter: "chief" });
  assert.deepEqual(ids(filtered.data), [made.id]);
  assert.deepEqual([filtered.response.start, filtered.response.limit, filtered.response.total], [0, 50, 1]);
  done("roles.list");

  await auth0.roles.permissions.add(made.id, { permissions: [permission("write:docs"), permission("read:docs")] });
  const description = { "read:docs": "", "write:docs": "change" };
  assert.deepEqual(
    await all(auth0.roles.permissions.list(made.id, { per_page: 1 })),
    ["read:docs", "write:docs"].map((scope) => ({
      ...permission(scope),
      description: description[scope],
      resource_server_name: "Documents",
    })),
  );
  const unknown = auth0.roles.permissions.add(made.id, { permissions: [permission("no:such")] });
  assert.equal((await refused(Management.NotFoundError, unknown)).errorCode, "inexistent_resource_server_permission");
  await auth0.roles.permissions.delete(made.id, { permissions: [permission("write:docs")] });
  await auth0.roles.permissions.delete(made.id, { permissions: [permission("write:docs")] });
  assert.deepEqual(ids(await all(auth0.roles.permissions.list(made.id)), "permission_name"), ["read:docs"]);
  done("roles.permissions");

  const [ann, bob] = [await person("ann"), await person("bob")];
  await auth0.roles.users.assign(made.id, { users: [ann, bob] });
  const holders = await all(auth0.roles.users.list(made.id, { take: 1 }));
  assert.deepEqual(ids(holders, "email").sort(), ["ann@example.org", "bob@example.org"]);
  assert.deepEqual(ids(await all(auth0.users.roles.list(bob))), [made.id]);
  await refused(Management.NotFoundError, auth0.roles.users.assign(made.id, { users: [NOBODY] }));
  done("roles.users");

  await deleteEach(auth0.roles, made.id, other.id);
  assert.equal((await refused(Management.NotFoundError, auth0.roles.delete(made.id))).message, "The role does not exist.");
  assert.deepEqual(await all(auth0.users.roles.list(ann)), []);
  done("roles.delete");
  await deleteEach(auth0.users, ann, bob);
}

// Journey 5: several roles are taken from a user in one call, and nothing else is.
async function journey() {
  const ann = await person("ann");
  const given = [];
  for (const scope of ["delete:docs", "read:docs", "write:docs"]) {
    const role = await auth0.roles.create({ name: `Role to ${scope}`, description: "" });
    await auth0.roles.permissions.add(role.id, { permissions: [permission(scope)] });
    given.push(role.id);
  }
  const [deleter, reader, writer] = given;
  const application = await auth0.clients.create({
    name: "Documents",
    app_type: "regular_web",
    grant_types: [PASSWORD_GRANT],
  });

  await auth0.users.roles.assign(ann, { roles: [writer, deleter, reader] });
  const before = await auth0.users.roles.list(ann);
  assert.deepEqual(ids(before.data), given, "in the order of their names");
  assert.deepEqual([before.response.start, before.response.limit, before.response.total], [0, 50, 3]);
  done("users.roles.assign");

  const old = await login(application, "ann");
  const claims = await verified(old, API);
  assert.deepEqual([claims.sub, claims.azp], [ann, application.client_id]);
  assert.deepEqual([...claims.permissions].sort(), ["delete:docs", "read:docs", "write:docs"]);
  done("token before");

  const looker = await holding("read:users", "read:roles");
  assert.equal((await all(looker.users.roles.list(ann))).length, 3);
  const attempt = looker.users.roles.delete(ann, { roles: [deleter, writer] });
  const forbidden = await refused(Management.ForbiddenError, attempt);
  assert.equal(forbidden.errorCode, "insufficient_scope");
  assert.match(forbidden.message, /^Insufficient scope.*update:users/);
  assert.equal((await all(auth0.users.roles.list(ann))).length, 3);
  done("users.roles.delete: insufficient scope");

  const remover = await holding("update:users");
  await remover.users.roles.delete(ann, { roles: [deleter, writer, deleter] }); // a role may be named twice
  assert.deepEqual(ids(await all(auth0.users.roles.list(ann))), [reader]);
  for (const role of given) {
    const holders = ids(await all(auth0.roles.users.list(role)), "user_id");
    assert.deepEqual(holders, role === reader ? [ann] : []);
  }
  assert.deepEqual(ids(await all(auth0.users.permissions.list(ann)), "permission_name"), ["read:docs"]);
  done("users.roles.delete");

  assert.deepEqual((await verified(old, API)).permissions, claims.permissions);
  assert.deepEqual((await verified(await login(application, "ann"), API)).permissions, ["read:docs"]);
  done("token after");

  await remover.users.roles.delete(ann, { roles: [deleter, writer] });
  assert.deepEqual(ids(await all(auth0.users.roles.list(ann))), [reader]);
  done("users.roles.delete: again");

  const unknown = await refused(Management.NotFoundError, remover.users.roles.delete(NOBODY, { roles: [reader] }));
  assert.equal(unknown.errorCode, "inexistent_user");
  done("users.roles.delete: unknown user");

  for (const bad of [[], ["Role to read:docs"]]) {
    assert.equal((await refused(ManagementError, remover.users.roles.delete(ann, { roles: bad }))).statusCode, 400);
  }
  assert.deepEqual(ids(await all(auth0.users.roles.list(ann))), [reader]);
  done("users.roles.delete: bad body");

  await deleteEach(auth0.clients, application.client_id);
  await deleteEach(auth0.roles, ...given);
  await deleteEach(auth0.users, ann);
}

// A permission that comes by two paths is gone when both are.
async function directPermissions() {
  const ann = await person("ann");
  const role = (await auth0.roles.create({ name: "Reader" })).id;
  await auth0.roles.permissions.add(role, { permissions: [permission("read:docs")] });
  await auth0.users.roles.assign(ann, { roles: [role] });
  const both = { permissions: [permission("write:docs"), permission("read:docs")] };
  await auth0.users.permissions.create(ann, both);
  const [read, write] = await all(auth0.users.permissions.list(ann, { per_page: 1 }));
  assert.deepEqual([read.permission_name, write.permission_name], ["read:docs", "write:docs"]);
  assert.deepEqual([write.resource_server_identifier, write.description], [API, "change"]);
  assert.deepEqual(read.sources.map((source) => [source.source_type, source.source_id]).sort(), [
    ["DIRECT", ""],
    ["ROLE", role],
  ]);
  assert.deepEqual(ids(write.sources, "source_type"), ["DIRECT"]);
  done("users.permissions.list");

  for (const [user, scope] of [[ann, "no:such"], [NOBODY, "read:docs"]]) {
    const attempt = auth0.users.permissions.create(user, { permissions: [permission(scope)] });
    await refused(Management.NotFoundError, attempt);
  }
  done("users.permissions.create");

  await auth0.users.permissions.delete(ann, both);
  await auth0.users.permissions.delete(ann, both);
  const [left, ...more] = await all(auth0.users.permissions.list(ann));
  assert.deepEqual([left.permission_name, ids(left.sources, "source_type"), more], ["read:docs", ["ROLE"], []]);
  await auth0.users.roles.delete(ann, { roles: [role] });
  assert.deepEqual(await all(auth0.users.permissions.list(ann)), []);
  done("users.permissions.delete");

  await deleteEach(auth0.roles, role);
  await deleteEach(auth0.users, ann);
}

// Applications are made, found, changed and deleted, and get new secrets.
async function clients() {
  const made = await robotWith({});
  assert.deepEqual([made.client_id.length, made.client_secret.length], [32, 64]);
  assert.deepEqual([made.name, made.app_type, made.grant_types], ["Robot", "non_interactive", ["client_credentials"]]);
  done("clients.create");

  const seen = await auth0.clients.get(made.client_id);
  assert.deepEqual([seen.client_id, seen.client_secret], [made.client_id, made.client_secret]);
  const missing = await refused(Management.NotFoundError, auth0.clients.get("0".repeat(32)));
  assert.deepEqual([missing.errorCode, missing.message], ["inexistent_client", "The client does not exist"]);
  done("clients.get");

  let changed = await auth0.clients.update(made.client_id, {
    description: "works",
    client_metadata: { team: "blue", old: "1" },
  });
  assert.deepEqual([changed.name, changed.description, changed.client_metadata.team], ["Robot", "works", "blue"]);
  changed = await auth0.clients.update(made.client_id, { client_metadata: { old: null } });
  assert.deepEqual(changed.client_metadata, { team: "blue" });
  done("clients.update");

  const every = await all(auth0.clients.list({ per_page: 1 }));
  assert.equal(every.find((client) => client.client_id === made.client_id).name, "Robot");
  assert.ok(ids(every, "client_id").includes(clientId));
  done("clients.list");

  await auth0.clientGrants.create({ client_id: made.client_id, audience: API, scope: ["read:docs"] });
  const claims = await verified(await tokenOf(made), API);
  assert.deepEqual([claims.scope, claims.permissions], ["read:docs", ["read:docs"]]);
  const fresh = await auth0.clients.rotateSecret(made.client_id);
  assert.notEqual(fresh.client_secret, made.client_secret);
  await denied(401, tokenOf(made));
  await tokenOf(fresh);
  done("clients.rotate_secret");

  await deleteEach(auth0.clients, made.client_id, made.client_id); // what is gone may be deleted again
  await refused(Management.NotFoundError, auth0.clients.get(made.client_id));
  await denied(401, tokenOf(fresh));
  done("clients.delete");
}

// What an application may do with an API is a grant of its own.
async function clientGrants() {
  const robot = await robotWith({});
  const asked = { client_id: robot.client_id, audience: API };
  const made = await auth0.clientGrants.create({ ...asked, scope: ["write:docs", "read:docs"] });
  assert.match(made.id, /^cgr_/);
  assert.deepEqual(
    [made.client_id, made.audience, made.scope],
    [robot.client_id, API, ["write:docs", "read:docs"]],
  );
  assert.deepEqual((await auth0.clientGrants.get(made.id)).scope, ["write:docs", "read:docs"]);
  done("client_grants.create");

  await refused(Management.ConflictError, auth0.clientGrants.create({ ...asked, scope: [] }));
  await refused(
    Management.NotFoundError,
    auth0.clientGrants.create({ ...asked, client_id: "0".repeat(32), scope: [] }),
  );
  await refused(Management.NotFoundError, auth0.clientGrants.get("cgr_0000000000000000"));
  done("client_grants: conflict");

  assert.deepEqual((await auth0.clientGrants.update(made.id, { scope: ["read:docs"] })).scope, ["read:docs"]);
  done("client_grants.update");

  assert.deepEqual(ids(await all(auth0.clientGrants.list(asked))), [made.id]);
  const every = ids(await all(auth0.clientGrants.list({ take: 1 })));
  assert.ok(every.includes(made.id) && every.length > 1);
  done("client_grants.list");

  await deleteEach(auth0.clientGrants, made.id, made.id); // what is gone may be deleted again
  await denied(403, tokenOf(robot));
  done("client_grants.delete");
  await deleteEach(auth0.clients, robot.client_id);
}

// There is one database of users, and it is found by name and by id.
async function connections() {
  const [found, ...more] = await all(auth0.connections.list({ name: CONNECTION }));
  assert.deepEqual([found.name, found.strategy, more], [CONNECTION, "auth0", []]);
  assert.equal((await auth0.connections.get(found.id)).name, CONNECTION);
  assert.ok(ids(await all(auth0.connections.list({ take: 1 }))).includes(found.id));
  await refused(Management.NotFoundError, auth0.connections.get("con_0000000000000000"));
  done("connections");
}

// Organizations have members, members have roles there, and applications are let in.
async function organizations() {
  const [ann, bob] = [await person("ann"), await person("bob")];
  const held = [];
  for (const name of ["1 viewer", "2 editor", "3 owner"]) {
    held.push((await auth0.roles.create({ name })).id);
  }
  await withOrganization(ann, bob, held);
  await deleteEach(auth0.roles, ...held);
  await deleteEach(auth0.users, ann, bob);
}

async function withOrganization(ann, bob, [viewer, editor, owner]) {
  const made = await auth0.organizations.create({ name: "acme", display_name: "Acme", metadata: { tier: "gold" } });
  assert.match(made.id, /^org_/);
  assert.deepEqual([made.name, made.display_name, made.metadata], ["acme", "Acme", { tier: "gold" }]);
  await refused(Management.ConflictError, auth0.organizations.create({ name: "acme" }));
  done("organizations.create");

  assert.equal((await auth0.organizations.get(made.id)).name, "acme");
  assert.equal((await auth0.organizations.getByName("acme")).id, made.id);
  for (const attempt of [
    () => auth0.organizations.get("org_0000000000000000"),
    () => auth0.organizations.getByName("nobody"),
  ]) {
    const missing = await refused(Management.NotFoundError, attempt());
    assert.equal(missing.message, "No organization found by that id or name");
  }
  done("organizations.get");

  const changed = await auth0.organizations.update(made.id, { display_name: "Acme & Co", metadata: { tier: "silver" } });
  assert.deepEqual([changed.name, changed.display_name, changed.metadata], ["acme", "Acme & Co", { tier: "silver" }]);
  done("organizations.update");

  const every = await all(auth0.organizations.list());
  assert.deepEqual(ids(every.filter((one) => one.name === "acme")), [made.id]);
  done("organizations.list");

  await auth0.organizations.members.create(made.id, { members: [ann, bob] });
  await auth0.organizations.members.create(made.id, { members: [ann] });
  const members = await all(auth0.organizations.members.list(made.id, { take: 1 }));
  assert.deepEqual(ids(members, "email").sort(), ["ann@example.org", "bob@example.org"]);
  const part = auth0.organizations.members.list(made.id, { fields: "user_id", include_fields: true });
  assert.deepEqual((await all(part)).map((one) => Object.keys(one)), [["user_id"], ["user_id"]]);
  assert.deepEqual(ids(await all(auth0.users.organizations.list(ann))), [made.id]);
  done("organizations.members");

  const ofMembers = auth0.organizations.members.roles;
  await ofMembers.assign(made.id, ann, { roles: [owner, viewer, editor] });
  await ofMembers.assign(made.id, bob, { roles: [viewer] });
  assert.deepEqual(ids(await all(ofMembers.list(made.id, ann, { per_page: 1 }))), [viewer, editor, owner]);
  assert.deepEqual(await all(auth0.users.roles.list(ann)), [], "a role in an organization is not one outside it");
  done("organizations.members.roles.assign");

  const viewers = await all(auth0.organizations.roles.members.list(made.id, viewer, { take: 1 }));
  assert.deepEqual(ids(viewers, "user_id").sort(), [ann, bob].sort());
  done("organizations.roles.members.list");

  await ofMembers.delete(made.id, ann, { roles: [owner, editor] });
  await ofMembers.delete(made.id, ann, { roles: [owner, editor] });
  assert.deepEqual(ids(await all(ofMembers.list(made.id, ann))), [viewer]);
  assert.deepEqual(ids(await all(ofMembers.list(made.id, bob))), [viewer]);
  done("organizations.members.roles.delete");

  await auth0.organizations.members.delete(made.id, { members: [ann] });
  await auth0.organizations.members.delete(made.id, { members: [ann] });
  assert.deepEqual(ids(await all(auth0.organizations.members.list(made.id)), "user_id"), [bob]);
  assert.deepEqual(await all(auth0.users.organizations.list(ann)), []);
  await auth0.organizations.members.create(made.id, { members: [ann] });
  assert.deepEqual(await all(ofMembers.list(made.id, ann)), [], "who comes back starts from nothing");
  done("organizations.members.delete");

  const robot = await robotWith({ organization_usage: "allow" });
  const grant = await auth0.clientGrants.create({
    client_id: robot.client_id,
    audience: API,
    scope: ["read:docs"],
    organization_usage: "allow",
  });
  await auth0.organizations.clientGrants.create(made.id, { grant_id: grant.id });
  assert.deepEqual(ids(await all(auth0.organizations.clientGrants.list(made.id))), [grant.id]);
  assert.deepEqual(ids(await all(auth0.clientGrants.organizations.list(grant.id))), [made.id]);
  const letIn = {
    grant_type: "client_credentials",
    client_id: robot.client_id,
    client_secret: robot.client_secret,
    audience: API,
    organization: made.id,
  };
  const answer = await ask(letIn);
  assert.equal((await verified(answer.access_token, API)).org_id, made.id);
  await auth0.organizations.clientGrants.delete(made.id, grant.id);
  assert.deepEqual(await all(auth0.organizations.clientGrants.list(made.id)), []);
  assert.equal((await ask(letIn)).error, "access_denied");
  await deleteEach(auth0.clients, robot.client_id);
  done("organizations.client_grants");

  assert.deepEqual(await all(auth0.organizations.connections.list(made.id)), []);
  done("organizations.connections.list");

  await auth0.organizations.delete(made.id);
  await refused(Management.NotFoundError, auth0.organizations.delete(made.id));
  done("organizations.delete");
}

// The SDK's own iteration reaches every item, and ends: over numbered pages, and from mark to mark.
async function pages() {
  const [people, made, spaces] = [[], [], []];
  for (let number = 0; number < 5; number += 1) {
    people.push(await person(`person${number}`));
    made.push((await auth0.roles.create({ name: `page ${number}` })).id);
  }
  await auth0.users.roles.assign(people[0], { roles: made });
  for (const size of [1, 2, 5, 50, undefined]) {
    const found = ids(await all(auth0.roles.list({ name_filter: "page", per_page: size })));
    assert.deepEqual(found.sort(), [...made].sort());
    assert.deepEqual(ids(await all(auth0.users.roles.list(people[0], { per_page: size }))), made);
    reached(people, ids(await all(auth0.users.list({ per_page: size })), "user_id"));
  }
  assert.deepEqual((await auth0.roles.list({ page: 7 })).data, []);
  const tooMany = await refused(Management.BadRequestError, auth0.roles.list({ per_page: 101 }));
  assert.equal(tooMany.errorCode, "invalid_query_string");
  done("pages by number");

  for (let number = 0; number < 5; number += 1) {
    spaces.push((await auth0.organizations.create({ name: `space-${number}` })).id);
  }
  await auth0.roles.users.assign(made[0], { users: people });
  await auth0.organizations.members.create(spaces[0], { members: people });
  for (const size of [1, 2, 5, 50, undefined]) {
    const holders = ids(await all(auth0.roles.users.list(made[0], { take: size })), "user_id");
    assert.equal(holders[0], people[0], "in the order of assignment");
    assert.deepEqual(holders.sort(), [...people].sort());
    reached(spaces, ids(await all(auth0.organizations.list({ take: size }))));
    const members = ids(await all(auth0.organizations.members.list(spaces[0], { take: size })), "user_id");
    assert.deepEqual(members.sort(), [...people].sort());
  }
  done("pages by mark");

  await deleteEach(auth0.organizations, ...spaces);
  await deleteEach(auth0.roles, ...made);
  await deleteEach(auth0.users, ...people);
}

// Everything that the SDK's own iteration yields.
async function all(listing) {
  const items = [];
  for await (const item of await listing) {
    items.push(item);
  }
  return items;
}

function ids(items, member = "id") {
  return items.map((item) => item[member]);
}

// These are among what was found, and nothing was found twice.
function reached(these, found) {
  assert.equal(new Set(found).size, found.length);
  for (const one of these) {
    assert.ok(found.includes(one), one);
  }
}

// A new user, by id.
async function person(name) {
  const made = await auth0.users.create({
    connection: CONNECTION,
    email: `${name}@example.org`,
    password: PASSWORD,
  });
  return made.user_id;
}

// A permission of the story's API.
function permission(scope) {
  return { resource_server_identifier: API, permission_name: scope };
}

// A new program that logs in by itself.
function robotWith(members) {
  return auth0.clients.create({
    name: "Robot",
    app_type: "non_interactive",
    grant_types: ["client_credentials"],
    ...members,
  });
}

// A program that may do no more with the Management API than these scopes say.
async function holding(...scope) {
  const made = await robotWith({});
  await auth0.clientGrants.create({ client_id: made.client_id, audience: MANAGEMENT, scope });
  return new ManagementClient({ domain, clientId: made.client_id, clientSecret: made.client_secret });
}

// A program's own token for the story's API.
function tokenOf(client) {
  return new TokenProvider({
    domain,
    clientId: client.client_id,
    clientSecret: client.client_secret,
    audience: API,
  }).getAccessToken();
}

// A person's token for the story's API; this SDK has no call for it.
async function login(application, name) {
  const answer = await ask({
    grant_type: PASSWORD_GRANT,
    client_id: application.client_id,
    client_secret: application.client_secret,
    username: `${name}@example.org`,
    password: PASSWORD,
    realm: CONNECTION,
    audience: API,
  });
  return answer.access_token;
}

// What the token endpoint says to a request in JSON.
async function ask(body) {
  const response = await fetch(`https://${domain}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.json();
}

// The claims of a token of ours for this API.
async function verified(token, audience) {
  return (await jwtVerify(token, keys, { issuer: ISSUER, audience, algorithms: ["RS256"] })).payload;
}

async function deleteEach(kind, ...identifiers) {
  for (const identifier of identifiers) {
    await kind.delete(identifier);
  }
}

// The body of the refusal in which the call must end.
async function refused(kind, call) {
  const refusal = await failure(call);
  assert.ok(refusal instanceof kind, `${kind.name} was expected, not ${refusal}`);
  assert.equal(refusal.body.statusCode, refusal.statusCode);
  assert.ok(refusal.body.error && refusal.body.message, `${refusal}`);
  return refusal.body;
}

// The body of the refusal of a token in which the call must end.
async function denied(status, call) {
  const refusal = await failure(call);
  assert.equal(refusal.statusCode, status, `${refusal}`);
  return refusal.body;
}

async function failure(call) {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("a refusal was expected");
}

function done(step) {
  console.log(JSON.stringify({ step, ok: true }));
}

await main();
