// One call of a flow-log API by an official SDK for Node.
//
// node -e THIS CLIENT PORT ACTION [Name=value ...]; prints the answer
// as JSON, or {"Code": ..., "status": ...} where the SDK raises.

const [client, port, action, ...words] = process.argv.slice(1);
const parameters = {};
for (const word of words) {
  const at = word.indexOf("=");
  parameters[word.slice(0, at)] = word.slice(at + 1);
}
const [KEY, SECRET] = ["LTAItest", "secret"];

// @alicloud/pop-core: signature 1.0, all parameters in the form.
async function popCore() {
  const Core = require("@alicloud/pop-core");
  const service = new Core({
    accessKeyId: KEY,
    accessKeySecret: SECRET,
    endpoint: `http://127.0.0.1:${port}`,
    apiVersion: "2018-03-13",
  });
  const all = { RegionId: "cn-shanghai", ...parameters };
  try {
    return await service.request(action, all, { method: "POST" });
  } catch (error) {
    if (!error.code) throw error;
    return { Code: error.code, status: error.entry.response.statusCode };
  }
}

// qcloudapi-sdk: API 2.0.
function qcloud() {
  const Capi = require("qcloudapi-sdk");
  const service = new Capi({
    SecretId: KEY,
    SecretKey: SECRET,
    serviceType: "vpc",
    protocol: "http",
    host: `127.0.0.1:${port}`,
  });
  return new Promise((resolve, reject) => {
    const all = { Region: "gz", Action: action, ...parameters };
    service.request(all, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

const clients = { "pop-core": popCore, qcloud };
clients[client]().then((answer) => console.log(JSON.stringify(answer)));
