// A document's page: the box offers suggestions, citations can be copied. A search is a page of its own here.

import "./copying.js";
import { watchComposition } from "./composing.js";
import { Pace } from "./pace.js";
import * as recent from "./recent.js";
import { Suggestions } from "./suggestions.js";

const form = document.getElementById("search");
const input = document.getElementById("q");
const isComposing = watchComposition(input, () => suggestions.askSoon());
const submit = () => form.requestSubmit();
const list = document.getElementById("suggestions");
const suggestions = new Suggestions(input, list, isComposing, recent, submit, new Pace());

input.addEventListener("input", (event) => {
  if (!isComposing() && !event.isComposing) suggestions.askSoon();
});

input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && isComposing(event)) event.preventDefault();
});

form.addEventListener("submit", (event) => {
  if (isComposing()) event.preventDefault();
  else recent.remember(input.value);
});
