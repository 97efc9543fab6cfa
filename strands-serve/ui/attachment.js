// Files in messages.

import { el, icon } from "./dom.js";

/** Returns the bytes of an attachment in Base64; "" if they are elsewhere. Stored ones are an object, others a text. */
export function bytesOf(block) {
  const bytes = Object.values(block)[0]?.source?.bytes;
  const text = bytes?.data ?? bytes;
  return typeof text === "string" ? text : "";
}

/** Shows an attachment. Images are shown by their bytes alone, and nothing is loaded from elsewhere. */
export function attachment(block) {
  const { image, document } = block;
  if (image && bytesOf(block) && /^(png|jpeg|gif|webp)$/.test(image.format ?? "")) {
    return el("img", { src: `data:image/${image.format};base64,${bytesOf(block)}`, alt: "Attached image", class: "thumbnail" });
  }
  const name = document?.name ?? Object.keys(block)[0];
  return el("span", { class: "chip" }, icon("document"), el("span", { dir: "auto" }, name));
}
