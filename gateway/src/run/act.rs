//! What control does when asked on the socket.

use config::types::Encap;
use gateway::control::{Control, Spot};
use gateway::inform;
use gateway::telemetry::{Act, FdbPlace};
use serde_json::{Value, json};

use super::answer::filter;

/// Does it and says what came of it. What concerns the configuration or the log is done elsewhere.
pub fn act(control: &mut Control, act: &Act) -> Result<Value, String> {
    match act {
        Act::FdbFlush(asked) => {
            let forgotten = control.flush(&filter(control, asked)?).map_err(|unknown| unknown.to_string())?;
            inform!("learned MACs were flushed"; macs = forgotten);
            Ok(json!({"forgotten": forgotten}))
        }
        Act::FdbAdd(asked) => {
            let vni = control.find_vni(&asked.vni)?;
            let (spot, place) = spot(asked)?;
            control.put_mac(&vni, asked.mac.parse()?, &spot)?;
            inform!("a MAC was put by hand"; vni = vni, mac = asked.mac, place = place);
            Ok(json!({"place": place}))
        }
        Act::FdbDel { vni, mac } => {
            let vni = control.find_vni(vni)?;
            control.remove_mac(&vni, mac.parse()?)?;
            inform!("a MAC was removed by hand"; vni = vni, mac = mac);
            Ok(json!({}))
        }
        Act::CountersClear => {
            control.clear_counters();
            Ok(json!({}))
        }
        Act::Plan { .. } | Act::Apply { .. } | Act::Reload | Act::Confirm | Act::Rollback | Act::LogLevel { .. } => {
            Err("this is not asked of control".into())
        }
    }
}

/// Where a MAC is to be, and the same in words.
fn spot(asked: &FdbPlace) -> Result<(Spot, String), String> {
    let encap = match asked.encap.as_deref() {
        None => None,
        Some("vxlan") => Some(Encap::Vxlan),
        Some("geneve") => Some(Encap::Geneve),
        Some(other) => return Err(format!("'{other}' is no encapsulation; use vxlan or geneve")),
    };
    match (&asked.port, asked.vtep) {
        (Some(port), None) => {
            let words = asked.vlan.as_ref().map_or(port.clone(), |vlan| format!("{port} vlan {vlan}"));
            Ok((Spot::Port(port.clone(), asked.vlan.clone()), words))
        }
        (None, Some(vtep)) => Ok((Spot::Vtep(vtep, encap), format!("VTEP {vtep}"))),
        _ => Err("say where the MAC is: on a port or behind a VTEP".into()),
    }
}
