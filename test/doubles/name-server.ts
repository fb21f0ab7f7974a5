import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const HEADER_BYTES = 12;
const TYPE_A = 1;
/** A reply without an error, from the server that is responsible for the name. */
const REPLY_FLAGS = 0x8580;

/** A DNS server like the one of Docker: any name has all of `addresses`, which change when containers come and go. IPv4 only. */
export class NameServer {
  private constructor(
    private readonly socket: Socket,
    public addresses: readonly string[],
  ) {
    socket.on('message', (query, { port, address }) => socket.send(this.replyTo(query), port, address));
  }

  static async listen(addresses: readonly string[]): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new NameServer(socket, addresses);
  }

  get port(): number {
    return this.socket.address().port;
  }

  close(): void {
    this.socket.close();
  }

  /** @param query with one question, as HAProxy sends it */
  private replyTo(query: Buffer): Buffer {
    // The name ends with an empty label; type and class follow.
    const endOfName = query.indexOf(0, HEADER_BYTES);
    const question = query.subarray(HEADER_BYTES, endOfName + 5);
    const addresses = query.readUInt16BE(endOfName + 1) === TYPE_A ? this.addresses : [];
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2); // the id of the query
    header.writeUInt16BE(REPLY_FLAGS, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    return Buffer.concat([header, question, ...addresses.map(addressRecord)]);
  }
}

/** For the name of the question, class IN, valid for 0 s. */
function addressRecord(address: string): Buffer {
  return Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
}
