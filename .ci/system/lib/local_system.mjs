import { System } from "./system.mjs";
export const LocalSystem = { start: (name) => System.start(name, {}) };
