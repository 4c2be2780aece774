// Renders the interface's description with Swagger UI.

SwaggerUIBundle({
  url: document.getElementById("reference").dataset.openapi,
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  syntaxHighlight: false,
});
