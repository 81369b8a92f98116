//! The section `control`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::evpn::EvpnDraft;
use super::{Draft, Placed, evpn};
use crate::defaults;
use crate::document::At;
use crate::reader::{Fields, Reader, excerpt};
use crate::scalar::{self, Checked};
use crate::suggest::nearest;
use crate::types::{Controllers, FloodFallback, Ovsdb, OvsdbDatabase, Port, Segment, Tls, Vtep};

/// The section as the file has it; names of ports are yet to be found.
#[derive(Default)]
pub(super) struct ControlDraft {
    ovsdb: Option<(Ovsdb, Option<Vec<Placed<String>>>)>,
    evpn: Option<EvpnDraft>,
}

pub(super) fn read(reader: &Reader, at: Option<At>) -> ControlDraft {
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return ControlDraft::default() };
    let ovsdb = fields.get("ovsdb").and_then(|at| ovsdb(reader, at));
    let evpn = fields.get("evpn").and_then(|at| evpn::read(reader, at));
    fields.done();
    ControlDraft { ovsdb, evpn }
}

impl ControlDraft {
    /// With the ports and VNIs that are meant.
    pub(super) fn resolve(
        &self,
        reader: &Reader,
        draft: &Draft,
        vtep: &Vtep,
        (ports, segments): (&[Port], &[Segment]),
    ) -> Controllers {
        let ovsdb = self.ovsdb.as_ref().map(|(ovsdb, names)| {
            let ports = match names {
                Some(names) => names.iter().filter_map(|(name, at)| port(reader, ports, name, *at)).collect(),
                None => default_ports(ports),
            };
            Ovsdb { ports, ..ovsdb.clone() }
        });
        let evpn = self.evpn.as_ref().map(|evpn| evpn.resolve(reader, draft, vtep, segments));
        Controllers { ovsdb, evpn }
    }
}

fn port(reader: &Reader, ports: &[Port], name: &str, at: At) -> Option<usize> {
    ports.iter().position(|port| port.name == name).or_else(|| {
        let cure = match nearest(name, ports.iter().map(|port| port.name.as_str())) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "use the name of a port under 'ports'".to_owned(),
        };
        reader.refuse(at, format!("there is no port '{name}'"), cure)
    })
}

fn default_ports(ports: &[Port]) -> Vec<usize> {
    let access: Vec<usize> = (0..ports.len()).filter(|&index| ports[index].underlay.is_none()).collect();
    if access.is_empty() { (0..ports.len()).collect() } else { access }
}

fn ovsdb(reader: &Reader, at: At) -> Option<(Ovsdb, Option<Vec<Placed<String>>>)> {
    let fields = reader.fields(at)?;
    let given =
        fields.need("database", "write 'database: embedded', or where it is, like unix:/run/openvswitch/db.sock");
    let database = given.and_then(|at| reader.read(at, database));
    let directory = fields.read("directory", path);
    let tls = fields.get("tls").and_then(|at| Some((tls(reader, at)?, at)));
    let database = match database {
        Some(OvsdbDatabase::Embedded { .. }) => Some(OvsdbDatabase::Embedded {
            directory: directory.map_or_else(|| defaults::OVSDB_DIRECTORY.into(), |(path, _)| path),
            tls: tls.map(|(tls, _)| tls),
        }),
        other => {
            if let (Some(_), Some(at)) = (&other, directory.map(|(_, at)| at).or(tls.map(|(_, at)| at))) {
                reader.error(
                    at,
                    "this goes with 'database: embedded' only",
                    "remove it, or let the server be embedded",
                );
            }
            other
        }
    };
    let managers = fields.get("managers").map(|at| {
        let items = reader.one_or_more(at).into_iter();
        items.filter_map(|at| reader.read(at, manager)).collect()
    });
    let names = fields.get("ports").map(|at| {
        let items = reader.one_or_more(at).into_iter();
        items.filter_map(|at| Some((reader.read(at, scalar::name)?, at))).collect()
    });
    let management = fields.items_or_one("management_ips").into_iter();
    let ovsdb = Ovsdb {
        database: database.clone().unwrap_or(OvsdbDatabase::Unix(PathBuf::new())),
        physical_switch: fields.read("physical_switch", row_name).map(|(name, _)| name),
        description: match fields.read("description", |text| Ok(text.to_owned())) {
            Some((text, _)) => text,
            None => defaults::OVSDB_DESCRIPTION.into(),
        },
        management_ips: management.filter_map(|at| reader.read(at, scalar::address)).collect(),
        managers,
        ports: Vec::new(),
        flood_fallback: fields
            .word("flood_fallback", &[("macs", FloodFallback::Macs), ("off", FloodFallback::Off)])
            .unwrap_or(FloodFallback::Macs),
        stale: seconds(&fields, "stale", defaults::OVSDB_STALE),
        statistics: seconds(&fields, "statistics", defaults::OVSDB_STATISTICS),
    };
    fields.done();
    database.map(|_| (ovsdb, names))
}

fn tls(reader: &Reader, at: At) -> Option<Tls> {
    let fields = reader.fields(at)?;
    let file = |key| {
        fields.need(key, "give the path of the file (PEM)")?;
        fields.read(key, path).map(|(path, _)| path)
    };
    let (key, certificate, ca) = (file("key"), file("certificate"), file("ca"));
    fields.done();
    Some(Tls { key: key?, certificate: certificate?, ca: ca? })
}

/// 0 is never.
pub(super) fn seconds(fields: &Fields<'_>, key: &'static str, default: u32) -> Option<Duration> {
    let seconds = fields.int::<u32>(key, "a time in seconds", 0..=1_000_000).unwrap_or(default);
    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
}

fn database(text: &str) -> Checked<OvsdbDatabase> {
    let cure = "write 'embedded', unix:/run/openvswitch/db.sock or tcp:127.0.0.1:6640";
    let bad = || Err((format!("'{}' is not a database", excerpt(text)), cure.to_owned()));
    match text.split_once(':') {
        None if text == "embedded" => Ok(OvsdbDatabase::Embedded { directory: PathBuf::new(), tls: None }),
        Some(("unix", path)) if path.starts_with('/') => Ok(OvsdbDatabase::Unix(path.into())),
        Some(("unix", _)) => Err((
            format!("'{}' has no absolute path", excerpt(text)),
            "write the whole path, like unix:/run/openvswitch/db.sock".into(),
        )),
        Some(("tcp", rest)) => match endpoint(rest) {
            Some((address, port)) => Ok(OvsdbDatabase::Tcp(address, port)),
            None => bad(),
        },
        Some(("ssl", _)) => Err((
            "the gateway itself speaks no TLS".into(),
            "use the server's Unix socket, or 'database: embedded' with 'managers: ssl:…'".into(),
        )),
        _ => bad(),
    }
}

/// `10.0.0.5:6640` or `[2001:db8::5]:6640`.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    Some((address.parse().ok()?, port.parse().ok().filter(|port| *port > 0)?))
}

fn manager(text: &str) -> Checked<String> {
    let kind = text.split_once(':').map(|(kind, rest)| (kind, !rest.is_empty()));
    match kind {
        Some(("tcp" | "ssl" | "ptcp" | "pssl", true)) if !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err((
            format!("'{}' is not a manager", excerpt(text)),
            "write tcp:ADDRESS:PORT or ssl:ADDRESS:PORT to connect, ptcp:PORT:ADDRESS or pssl:PORT:ADDRESS to listen"
                .into(),
        )),
    }
}

fn path(text: &str) -> Checked<PathBuf> {
    match text.starts_with('/') {
        true => Ok(text.into()),
        false => Err((format!("'{}' is not an absolute path", excerpt(text)), "begin it with '/'".into())),
    }
}

fn row_name(text: &str) -> Checked<String> {
    let fits = !text.is_empty() && text.len() <= 255 && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match fits {
        true => Ok(text.to_owned()),
        false => Err((format!("'{}' is not a name", excerpt(text)), "use 1 to 255 characters without spaces".into())),
    }
}
