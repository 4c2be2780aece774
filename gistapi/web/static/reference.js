// Renders the interface's description with Swagger UI.

SwaggerUIBundle({
  url: document.getElementById("reference").dataset.openapi,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
  syntaxHighlight: false,
});
