/** Makes labextension/src/generated.ts from docs/openapi.json; with --check only says whether it is up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";
import { format, resolveConfig } from "prettier";

const TARGET = "labextension/src/generated.ts";
const { components } = JSON.parse(readFileSync("docs/openapi.json", "utf8"));
const inFile = (text) => text.replaceAll("#/components/schemas/", "#/definitions/");
const definitions = JSON.parse(inFile(JSON.stringify(components.schemas)));

const options = {
  bannerComment:
    "/** Made by scripts/wire_types.mjs from docs/openapi.json; not written by hand. */",
  additionalProperties: false,
  unreachableDefinitions: true,
  format: false,
};
const schema = { title: "Wire", type: "object", additionalProperties: false, definitions };
const text = (await compile(schema, "Wire", options))
  .replace(/\s*\*\s*\* This interface was referenced by[^]*?\*\//g, "\n */")
  .replace(/\/\*\s+\*\/\n/g, "")
  .replace(/export interface Wire \{\s*\}/, "");
const made = await format(text, { ...(await resolveConfig(TARGET)), parser: "typescript" });

if (!process.argv.includes("--check")) writeFileSync(TARGET, made);
else if (readFileSync(TARGET, "utf8") !== made) {
  process.stderr.write(`${TARGET} is out of date: run node scripts/wire_types.mjs\n`);
  process.exitCode = 1;
}
