// Renders the interface's description with Swagger UI, in the theme of the reader's system.

const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
setTheme();
dark.addEventListener("change", setTheme);

const reference = SwaggerUIBundle({
  url: document.getElementById("reference").dataset.openapi,
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  syntaxHighlight: false,
  onComplete: () => {
    if (!location.hash) reference.layoutActions.show(["operations", "search", "search"], true);
  },
});
