/**
 * Phrases that readers with basic English must read twice, each with a replacement (docs/glossary.md, CONTRIBUTING.md).
 * Code blocks and inline code are not checked.
 */
const BANNED = [
  [/\bis to be had\b|\bcan be had\b|\bto be had\b|\bcould not be had\b/i, '"is available"'],
  [/\bwhoever\b/i, '"everybody who", or name who'],
  [/\bwho(?:ever)? comes\b|\bto who\b|\bthose who come\b/i, '"new viewers", "later requests"'],
  [/\ba want of\b|\bfor want of\b/i, '"no … is available"'],
  [/\b(?:made|makes?|making) (?:\w+ )?anew\b|\banew\b/i, '"recreate", "again"'],
  [/\bso long as\b/i, '"while", "if"'],
  [/\bown word\b|\bby whose word\b|\bword to say\b/i, '"reported status", "names the source"'],
  [/\b(?:is|are|was|were|been|be) told (?:of|to|by)\b|\btold to end\b/i, 'say who sends what: "the orchestrator notifies the proxy"'],
  [/\bin the place of\b/i, '"instead of"'],
  [/^(?!.*\b(?:not|no|never|nothing|nobody|without|n't)\b).*\bany more\b/i, '"no longer"'],
  [/\bout of reach\b/i, '"unreachable"'],
  [/\bthere is none\b|\bthere are none\b/i, 'name what is missing'],
  [/\bquestions? to (?:the|an|each) engines?\b/i, '"polls", "probes"'],
  [/\bhow they do\b|\bhow it does\b|\bhow they are\b/i, '"their status"'],
  [/\bso much as\b|\bnone the less\b|\ball the same\b/i, 'leave it out'],
  [/\bwhat (?:plays|is had|comes) (?:there|here)\b/i, 'name it'],
  [/\bbegins? with the next\b/i, '"from the next"'],
  [/\bhands? (?:it|them|engines|bytes) (?:out|on)\b|\bhanded (?:out|on)\b/i, '"leases", "forwards"'],
  [/\bput away\b/i, '"removed"'],
  [/\bring\b(?! buffers?)/i, '"ring buffer"'],
  [/\bas it stands\b|\bas they stand\b/i, '"unchanged", "as it is"'],
  [/\bfor ever\b/i, '"forever", "without end"'],
];

module.exports = (context) => {
  const { Syntax, RuleError, report, getSource, locator } = context;
  return {
    [Syntax.Str](node) {
      const text = getSource(node);
      for (const [phrase, instead] of BANNED) {
        const found = phrase.exec(text);
        if (!found) continue;
        const at = found.index;
        report(
          node,
          new RuleError(`"${found[0].trim().slice(0, 60)}" is hard to understand: write ${instead}`, {
            padding: locator.range([at, at + found[0].length]),
          }),
        );
      }
    },
  };
};
