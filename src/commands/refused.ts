/** Why a command does not do what was asked: one sentence for the person at the terminal. Exit code 1, no stack. */
export class Refused extends Error {}
