// Submits a changed filter at once; without scripts a button does it.
"use strict";

const filters = document.getElementById("filters");
if (filters) for (const field of filters.elements) field.addEventListener("change", () => filters.requestSubmit());
// Browsers have country names, Python has not: without scripts the page shows ISO codes.
const countries = new Intl.DisplayNames("en", { type: "region" });
for (const name of document.querySelectorAll("[data-country]")) name.firstChild.data = countries.of(name.dataset.country);
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
