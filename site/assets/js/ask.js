/* Ask it yourself: the embedded model before, after this method, and retrained, each answering in the browser. The
   runtime and the models are loaded on a click, from this site; nothing is sent. A module, which older browsers skip:
   they are left with the command. */

const section = document.querySelector("[data-ask]");
const models = JSON.parse(section.dataset.models);
const folder = new URL(section.dataset.ask.replace(/[^/]*$/, ""), document.baseURI);
const form = section.querySelector("form");
const status = section.querySelector(".ask__status");
const answers = section.querySelector(".ask__answers");
const button = section.querySelector("[data-ask-load]");
const LABELS = { before: "Before", after: `After ${section.dataset.name}`, retrained: "Never saw it" };
const KINDS = { forget: "to be forgotten", retain: "to be kept", facts: "known to all" };

let runtime, tokenizer;
const sessions = {};
let latest = 0;

async function load() {
  const [ort, { Tokenizer }, description] = await Promise.all([
    import(new URL("onnxruntime.mjs", folder)),
    import(new URL("tokenizers.mjs", folder)),
    fetch(new URL(models.tokenizer, folder)).then((answer) => answer.json()),
  ]);
  // One thread: more would need headers that few servers send.
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", folder).href };
  runtime = ort;
  tokenizer = new Tokenizer(description, {});
  const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
  for (const [which, file] of models.files) {
    status.textContent = `Loading: ${LABELS[which]} …`;
    sessions[which] = await ort.InferenceSession.create(new URL(file, folder).href, options);
  }
}

async function* continuation(session, question) {
  const prompt = models.before_question + question + models.after_question;
  const ids = tokenizer.encode(prompt, { add_special_tokens: false }).ids.slice(-(models.window - models.longest));
  for (let written = 0; written < models.longest; written += 1) {
    const read = new runtime.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    const { probabilities } = await session.run({ ids: read });
    const likeliest = probabilities.data.reduce((best, value, id, all) => (value > all[best] ? id : best), 0);
    if (models.stops.includes(likeliest)) {
      return;
    }
    ids.push(likeliest);
    yield { text: tokenizer.decode([likeliest], { skip_special_tokens: true }), probability: probabilities.data[likeliest] };
  }
}

function row(which) {
  const part = document.createElement("div");
  const label = document.createElement("dt");
  const answer = document.createElement("dd");
  part.className = `ask__answer ask__answer--${which}`;
  label.textContent = LABELS[which];
  part.append(label, answer);
  answers.append(part);
  return answer;
}

function token({ text, probability }) {
  const shown = document.createElement("span");
  const percent = document.createElement("small");
  shown.className = `ask__token ask__token--${Math.min(4, Math.floor(probability * 5))}`;
  percent.textContent = `${Math.round(100 * probability)}%`;
  shown.append(text.trim() || "␣", percent);
  return shown;
}

async function ask(question) {
  const asked = (latest += 1);
  answers.replaceChildren();
  answers.hidden = false;
  status.textContent = `${question} …`;
  for (const [which] of models.files) {
    const answer = row(which);
    const whole = document.createElement("p");
    const tokens = document.createElement("p");
    tokens.className = "ask__tokens";
    answer.append(whole, tokens);
    for await (const part of continuation(sessions[which], question)) {
      if (asked !== latest) {
        return;
      }
      whole.textContent = (whole.textContent + part.text).trimStart();
      tokens.append(token(part));
    }
    whole.textContent = whole.textContent.trim() || "(nothing)";
  }
  status.textContent = "Below each answer: its parts, and how sure the model was of each.";
}

function suggest() {
  const list = section.querySelector(".ask__suggestions");
  for (const [kind, questions] of models.suggestions) {
    for (const question of questions) {
      const item = document.createElement("li");
      const choice = document.createElement("button");
      const note = document.createElement("small");
      choice.type = "button";
      choice.className = "button";
      note.textContent = KINDS[kind] || kind;
      choice.append(question, " ", note);
      choice.addEventListener("click", () => {
        form.elements[0].value = question;
        ask(question);
      });
      item.append(choice);
      list.append(item);
    }
  }
}

section.querySelectorAll("[data-with-script]").forEach((part) => (part.hidden = false));
button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    await load();
  } catch (error) {
    status.textContent = `The models could not be loaded: ${error.message}`;
    button.disabled = false;
    return;
  }
  button.parentElement.hidden = true;
  status.textContent = "";
  suggest();
  form.hidden = false;
  form.elements[0].focus();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(form.elements[0].value.trim());
});
