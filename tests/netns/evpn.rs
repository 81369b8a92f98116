//! BGP EVPN with FRR on both sides: ours follows the gateway through the kernel, the peer's drives a kernel bridge.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use crate::bytes::mac;
use crate::config::Config;
use crate::gateway::{Gateway, rows};
use crate::lab::{self, Host, Lab, ping, run, text, until};

/// The user that FRR's packages make; its daemons refuse every other.
const USER: &str = "frr";

/// One side's bgpd and zebra. Dropping it ends them.
struct Frr {
    namespace: String,
    directory: PathBuf,
    daemons: Vec<Child>,
}

impl Frr {
    /// Starts both, with one neighbour, and everything that `advertise-all-vni` brings.
    fn start(lab: &Lab, namespace: &str, own: &str, neighbour: &str) -> Self {
        let directory = lab.directory.join(format!("frr-{own}"));
        fs::create_dir_all(&directory).expect("the laboratory's directory can be written");
        fs::write(directory.join("zebra.conf"), "log file zebra.log\n").expect("as above");
        let bgpd = format!(
            "router bgp 65000\n bgp router-id {own}\n no bgp default ipv4-unicast\n neighbor {neighbour} remote-as 65000\n \
             neighbor {neighbour} timers connect 1\n neighbor {neighbour} advertisement-interval 0\n \
             address-family l2vpn evpn\n  neighbor {neighbour} activate\n  advertise-all-vni\n exit-address-family\n"
        );
        fs::write(directory.join("bgpd.conf"), bgpd).expect("as above");
        run(&format!("chown -R {USER}:frrvty {}", directory.display()));
        let mut frr = Self { namespace: namespace.to_owned(), directory, daemons: Vec::new() };
        frr.start_daemons();
        frr
    }

    fn start_daemons(&mut self) {
        let at = self.directory.display().to_string();
        let socket = self.directory.join("zserv.api");
        for (name, more) in [("zebra", "-s 90000000"), ("bgpd", "")] {
            let line = format!(
                "/usr/lib/frr/{name} -f {at}/{name}.conf -z {at}/zserv.api -i {at}/{name}.pid --vty_socket {at} \
                 -A 127.0.0.1 -P 0 {more}"
            );
            let mut command = lab::inside(&self.namespace, &line);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            self.daemons.push(command.spawn().expect("FRR is installed"));
            until("zebra listens", || socket.exists());
        }
    }

    fn stop_daemons(&mut self) {
        self.daemons.drain(..).rev().for_each(|mut daemon| lab::end(&mut daemon, Duration::from_secs(5)));
        let _ = fs::remove_file(self.directory.join("zserv.api"));
    }

    /// What `show` prints.
    fn show(&self, what: &str) -> String {
        let output = std::process::Command::new("vtysh")
            .args(["--vty_socket", &self.directory.display().to_string(), "-c", &format!("show {what}")])
            .output()
            .expect("vtysh is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: {}", self.namespace, self.show("bgp l2vpn evpn"));
        }
        self.stop_daemons();
    }
}

/// A kernel VTEP whose bridge FRR drives, at 10.0.0.N with the host 192.168.7.M behind it.
fn kernel_peer(lab: &Lab, number: u8, vni: u32, host: u8) -> (String, Host) {
    let ns = lab.kernel_vtep(number).namespace;
    let end = lab.namespace(&format!("h{host}"));
    run(&format!("ip link add p0 netns {ns} type veth peer name eth0 netns {end}"));
    run(&format!("ip -n {end} link set eth0 address {} mtu 1500 up", text(mac(host))));
    run(&format!("ip -n {end} addr add 192.168.7.{host}/24 dev eth0"));
    run(&format!("ip -n {end} addr add fd00:7::{host}/64 dev eth0 nodad"));
    run(&format!("ip netns exec {end} ethtool -K eth0 tx off"));
    run(&format!("ip -n {ns} link add br{vni} type bridge"));
    run(&format!("ip -n {ns} link set br{vni} addrgenmode none up"));
    run(&format!("ip -n {ns} link add vx{vni} type vxlan id {vni} local 10.0.0.{number} dstport 4789 nolearning"));
    run(&format!("ip -n {ns} link set vx{vni} mtu 1500 addrgenmode none master br{vni}"));
    run(&format!("bridge -n {ns} link set dev vx{vni} learning off neigh_suppress on"));
    run(&format!("ip -n {ns} link set vx{vni} up"));
    run(&format!("ip -n {ns} link set p0 addrgenmode none master br{vni} up"));
    (ns, Host { namespace: end, number: host })
}

/// The row of a MAC in `show fdb`: who says so, and where it is.
fn whereabouts(gateway: &Gateway, number: u8) -> Option<(String, String)> {
    let shown = gateway.show("fdb");
    let row = rows(&shown).iter().find(|row| row["mac"] == text(mac(number)))?.clone();
    Some((row["origin"].as_str()?.to_owned(), row["place"].as_str()?.to_owned()))
}

fn is_at(gateway: &Gateway, number: u8, origin: &str, location: &str) -> bool {
    whereabouts(gateway, number).is_some_and(|(who, place)| who == origin && place.contains(location))
}

/// Type 3 routes make the flood lists and type 2 routes the MACs of both sides; a MAC moves to us and back; withdrawal
/// takes it away; bgpd may die and come back; a gateway that ends takes its routes with it. CTL7
#[test]
fn frr_tells_vteps_and_macs_and_hears_ours() {
    let Some(lab) = Lab::of_frr() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, neigh_suppress: true")
        .control("control: {evpn: {hold: 600}}\n");
    let server = lab.server("srv1", Some(10), 1);
    let (far, tenant) = kernel_peer(&lab, 12, 5001, 9);
    let gateway = Gateway::start(&lab, &config.text());
    let mut ours = Frr::start(&lab, &lab.twin(), "10.0.0.11", "10.0.0.12");
    let _theirs = Frr::start(&lab, &far, "10.0.0.12", "10.0.0.11");

    server.pings(&tenant);
    until("the tenant's MAC is EVPN's", || is_at(&gateway, 9, "controller", "10.0.0.12"));
    let at_peer = |number: u8, whence: &str| {
        let fdb = run(&format!("bridge -n {far} fdb show"));
        fdb.lines().any(|line| line.starts_with(&text(mac(number))) && line.contains(whence))
    };
    until("the peer has the server's MAC from us", || at_peer(1, "dst 10.0.0.11"));
    assert!(run(&format!("bridge -n {far} fdb show dev vx5001")).contains("00:00:00:00:00:00 dst 10.0.0.11"));
    // An address with the MAC (a type 2 route with an IP): the gateway answers for it.
    let neighbour =
        |verb| run(&format!("ip -n {far} neigh {verb} 192.168.7.9 lladdr {} dev br5001 nud permanent", text(mac(9))));
    neighbour("add");
    let answers =
        || rows(&gateway.show("neighbours")).iter().any(|row| row["ip"] == "192.168.7.9" && row["answered"] == true);
    until("the tenant's address is known", answers);
    neighbour("del");
    until("the tenant's address is withdrawn", || !answers());
    // Nothing is learned from tunnels: whatever else is behind the peer EVPN tells.
    let shown = gateway.show("fdb");
    assert!(rows(&shown).iter().all(|row| row["origin"] != "learned" || row["mac"] == text(mac(1))), "{shown}");

    // The tenant moves behind us (RFC 7432 section 15) and back.
    let moved = lab.server("srv1", Some(10), 20);
    run(&format!("ip -n {} link set eth0 down", tenant.namespace));
    run(&format!("ip -n {} link set eth0 address {}", moved.namespace, text(mac(9))));
    ping(&moved.namespace, &server.v4(), "");
    until("the MAC is learned here", || is_at(&gateway, 9, "learned", "srv1"));
    until("the peer hears of the move", || at_peer(9, "dst 10.0.0.11"));
    run(&format!("ip -n {} link set eth0 down", moved.namespace));
    run(&format!("ip -n {} link set eth0 up", tenant.namespace));
    run(&format!("ip -n {} addr replace fd00:7::9/64 dev eth0 nodad", tenant.namespace));
    ping(&tenant.namespace, &server.v4(), "");
    until("the MAC is back behind the peer", || is_at(&gateway, 9, "controller", "10.0.0.12"));

    // bgpd dies: what it said stays in force, though the peer hears of us no more.
    ours.stop_daemons();
    until("the peer has lost us", || !at_peer(1, "dst 10.0.0.11"));
    gateway.wait_log("withdrawn at once");
    assert!(is_at(&gateway, 9, "controller", "10.0.0.12"));
    ours.start_daemons();
    until("the peer has us again", || at_peer(1, "dst 10.0.0.11"));
    ping(&server.namespace, &tenant.v4(), "");
    assert!(is_at(&gateway, 9, "controller", "10.0.0.12"));

    // Withdrawal: the peer forgets the MAC.
    run(&format!("ip -n {} link set eth0 down", tenant.namespace));
    run(&format!("ip -n {far} link set p0 down"));
    until("the tenant's MAC is withdrawn", || whereabouts(&gateway, 9).is_none());

    let twin = lab.twin();
    gateway.stop();
    assert!(!run(&format!("ip -n {twin} -br link")).contains("cw"), "devices stayed behind");
    until("FRR has nothing of ours to say", || !ours.show("bgp l2vpn evpn").contains("[10.0.0.11]"));
}
