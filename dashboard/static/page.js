// What makes the head of a page handier; without it a button submits the filters.
"use strict";

const filters = document.getElementById("filters");
if (filters) for (const field of filters.elements) field.addEventListener("change", () => filters.requestSubmit());
// Python has no names of countries, a browser has: without scripts they are ISO codes.
const countries = new Intl.DisplayNames("en", { type: "region" });
for (const name of document.querySelectorAll("[data-country]")) name.firstChild.data = countries.of(name.dataset.country);
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
