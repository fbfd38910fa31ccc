// Preloaded into a peer that has no option for its address: what would listen everywhere listens on loopback.
const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  const everywhere = typeof port === "number" && typeof rest[0] !== "string";
  return everywhere ? listen.call(this, port, "127.0.0.1", ...rest.filter((value) => value !== undefined)) : listen.call(this, port, ...rest);
};
