/** Sentences in table cells, such as setting descriptions, with at most 40 words. The rule sentence-length checks paragraphs only. */
const MAX_WORDS = 40;

module.exports = (context) => {
  const { Syntax, RuleError, report, getSource } = context;
  return {
    [Syntax.TableCell](node) {
      for (const sentence of getSource(node).split(/[.;:?!] |<br>/)) {
        const words = sentence.split(/\s+/).filter((word) => /\w/.test(word)).length;
        if (words > MAX_WORDS) report(node, new RuleError(`${words} words in one sentence: write at most ${MAX_WORDS}`));
      }
    },
  };
};
