// What makes the head of a page handier; without it a button submits the filters.
"use strict";

const filters = document.getElementById("filters");
if (filters) for (const field of filters.elements) field.addEventListener("change", () => filters.requestSubmit());
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
