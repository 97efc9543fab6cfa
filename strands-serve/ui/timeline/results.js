// Content of tool results as elements.

import { element } from "../elements.js";
import { boundedText, jsonText, note, preformatted, visibleText } from "./values.js";

const IMAGES = new Set(["png", "jpeg", "gif", "webp"]);

/** Returns the text of a result, without images and files. */
export function resultText(result) {
  return (result?.content ?? []).flatMap((part) => (typeof part?.text === "string" ? [part.text] : [])).join("\n");
}

/**
 * Returns the elements of a result's content.
 *
 * @param {{content?: object[]}} result
 * @returns {HTMLElement[]}
 */
export function resultElements(result) {
  const parts = result?.content ?? [];
  return parts.length ? parts.map(partElement) : [note("No content")];
}

function partElement(part) {
  if (typeof part?.text === "string") return preformatted(boundedText(visibleText(part.text)));
  if (part && Object.hasOwn(part, "json")) return preformatted(boundedText(jsonText(part.json)));
  if (part?.image) return imageElement(part.image);
  for (const kind of ["document", "video", "audio"]) {
    if (part?.[kind]) return note(fileText(kind, part[kind]));
  }
  return preformatted(boundedText(jsonText(part)));
}

function imageElement({ format, source }) {
  if (!IMAGES.has(format) || typeof source?.bytes !== "string") return note(fileText("image", { format }));
  const image = element("img", "value-image");
  image.alt = "Image in the result";
  image.src = `data:image/${format};base64,${source.bytes}`;
  return image;
}

function fileText(kind, { name, format }) {
  const label = kind[0].toUpperCase() + kind.slice(1);
  const details = [name, format].filter((detail) => typeof detail === "string").map(visibleText);
  return details.length ? `${label}: ${details.join(", ")}` : label;
}
