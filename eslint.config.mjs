import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["labextension/lib"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ["labextension/**/*.ts"],
    rules: {
      "no-console": "error",
      "max-lines": ["error", 350],
      "max-lines-per-function": ["error", 50],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from jobs goes through textContent." },
        { property: "outerHTML", message: "Text from jobs goes through textContent." },
        { property: "insertAdjacentHTML", message: "Text from jobs goes through textContent." },
      ],
      "@typescript-eslint/no-extraneous-class": "off",
    },
  },
  { files: ["labextension/src/generated.ts"], rules: { "max-lines": "off" } },
  {
    files: ["labextension/test/**/*.ts"],
    rules: { "max-lines-per-function": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
);
