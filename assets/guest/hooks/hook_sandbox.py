"""Answers what is asked of the DNS about the sandbox's own host name, and about no other.

`mongodb+srv://USER:PASSWORD@HOST/` makes PyMongo and Motor look up the service record of HOST, the options beside it, and
the address it points to. `CONNECT_CONSOLE_SANDBOX_HOST` is that name, `CONNECT_CONSOLE_SANDBOX_PORT` where the sandbox
listens on this machine.

`tlsCAFile=certifi.where()`, which many examples for Atlas have, gets the certificates of the guest's environment
(`SSL_CERT_FILE`): certifi's own and that of the console's authority.
"""
import functools
import os
import socket

HOST = os.environ.get('CONNECT_CONSOLE_SANDBOX_HOST', '').lower()
PORT = os.environ.get('CONNECT_CONSOLE_SANDBOX_PORT', '')
ADDRESS = '127.0.0.1'
RECORDS = {
    (f'_mongodb._tcp.{HOST}', 'SRV'): f'0 0 {PORT} {HOST}.',
    (HOST, 'TXT'): '"authSource=admin"',
    (HOST, 'A'): ADDRESS,
}
OWN = {name for name, _ in RECORDS}


def plain(name):
    return str(name).rstrip('.').lower()


def answer(qname, rdtype='A'):
    """The answer about a name of ours as dnspython gives it."""
    import dns.message
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.resolver

    kind = rdtype.upper() if isinstance(rdtype, str) else dns.rdatatype.to_text(rdtype)
    record = RECORDS.get((plain(qname), kind))
    if record is None:
        raise dns.resolver.NoAnswer()
    name, rdtype, rdclass = dns.name.from_text(plain(qname)), dns.rdatatype.from_text(kind), dns.rdataclass.IN
    response = dns.message.make_response(dns.message.make_query(name, rdtype))
    found = response.find_rrset(response.answer, name, rdclass, rdtype, create=True)
    found.add(dns.rdata.from_text(rdclass, rdtype, record), 60)
    return dns.resolver.Answer(name, rdtype, rdclass, response)


def asked(arguments, keywords):
    """What is asked: the name, then the type."""
    names = ('qname', 'rdtype')
    return {**dict(zip(names, arguments)), **{name: keywords[name] for name in names if name in keywords}}


def answering(resolve, method):
    @functools.wraps(resolve)
    def ours(*arguments, **keywords):
        question = asked(arguments[method:], keywords)
        if plain(question.get('qname')) in OWN:
            return answer(**question)
        return resolve(*arguments, **keywords)
    return ours


def answering_later(resolve, method):
    @functools.wraps(resolve)
    async def ours(*arguments, **keywords):
        question = asked(arguments[method:], keywords)
        if plain(question.get('qname')) in OWN:
            return answer(**question)
        return await resolve(*arguments, **keywords)
    return ours


def patch(module, wrap):
    # `query` is what dnspython before version 2 has in place of `resolve`.
    for place, method in ((module, 0), (module.Resolver, 1)):
        for name in ('resolve', 'query'):
            if name in vars(place):
                setattr(place, name, wrap(vars(place)[name], method))


def local(host):
    name = host.decode('ascii', 'replace') if isinstance(host, bytes) else host
    return ADDRESS if isinstance(name, str) and plain(name) == HOST else host


def looking_up(getaddrinfo, method):
    @functools.wraps(getaddrinfo)
    def ours(*arguments, **keywords):
        arguments = list(arguments)
        if len(arguments) > method:
            arguments[method] = local(arguments[method])
        elif 'host' in keywords:
            keywords['host'] = local(keywords['host'])
        return getaddrinfo(*arguments, **keywords)
    return ours


def install(when_imported, trouble):
    if not HOST or not PORT:
        return
    when_imported('dns.resolver', lambda module: patch(module, answering))
    when_imported('dns.asyncresolver', lambda module: patch(module, answering_later))
    socket.getaddrinfo = looking_up(socket.getaddrinfo, 0)

    def uvloop(module):
        # It has a lookup of its own; asyncio's loops ask `socket`.
        module.Loop.getaddrinfo = looking_up(module.Loop.getaddrinfo, 1)
    when_imported('uvloop', uvloop)

    def certifi(module):
        if os.path.isfile(os.environ.get('SSL_CERT_FILE', '')):
            module.where = lambda: os.environ['SSL_CERT_FILE']
    when_imported('certifi', certifi)
