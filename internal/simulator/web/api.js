// SPDX-License-Identifier: AGPL-3.0-or-later

// What the page asks the simulator, and nothing else.

async function ask(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch("/simulator/" + path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

const person = (address) => "citizens/" + encodeURIComponent(address);

export const accounts = async () => (await ask("GET", "accounts")).items;
export const addAccount = (account) => ask("POST", "accounts", account);
export const citizens = async () => (await ask("GET", "citizens")).items;
export const citizen = (address) => ask("GET", person(address));
export const saveCitizen = (fields) => ask("POST", "citizens", fields);
export const messages = async (address, number) =>
  (await ask("GET", `${person(address)}/messages?number=${encodeURIComponent(number)}`)).items;
export const write = (address, message) => ask("POST", `${person(address)}/messages`, message);
export const read = (address, number) => ask("POST", `${person(address)}/read`, { number });
export const played = (id) => ask("POST", `messages/${encodeURIComponent(id)}/played`);
export const prefer = (address, number, marketing) => ask("POST", `${person(address)}/preferences`, { number, marketing });
export const changeNumber = (address, phone) => ask("POST", `${person(address)}/change_number`, { phone });
export const changeUserID = (address) => ask("POST", `${person(address)}/change_user_id`);
export const faults = async () => (await ask("GET", "faults")).faults;
export const setFaults = (faults) => ask("PUT", "faults", faults);
export const advance = (advance) => ask("POST", "clock", { advance });
export const events = () => new EventSource("/simulator/events");
