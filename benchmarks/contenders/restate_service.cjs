// Restate's service by its TypeScript SDK: with `node restate_service.cjs PORT`. NODE_PATH says where the SDK is.
// The SDK wants this of Node.js 22; the rest of it runs with 20 as well.
Promise.withResolvers ??= function () {
  const made = {};
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const restate = require("@restatedev/restate-sdk");

const RESULT = "x".repeat(96);

const benchmark = restate.service({
  name: "benchmark",
  handlers: {
    n_steps: async (context, count) => {
      let result = "";
      for (let number = 0; number < count; number++) {
        result = await context.run("step", async () => RESULT);
      }
      return result;
    },
  },
});

restate.endpoint().bind(benchmark).listen(Number(process.argv[2]));
