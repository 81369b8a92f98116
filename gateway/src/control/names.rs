//! What somebody names in a question: the port, the segment, the VTEP or the reason that is meant, or what there is.

use std::net::IpAddr;

use config::nearest;
use config::types::Vni;

use super::Control;
use crate::verdict::DropReason;

/// Most names in a refusal.
const NAMES: usize = 8;

impl Control {
    /// The place in the model of the port that is called `asked`.
    ///
    /// # Errors
    ///
    /// There is none: which ones there are.
    pub fn port_called(&self, asked: &str) -> Result<usize, String> {
        let ports = &self.model.ports;
        ports.iter().position(|port| port.name == asked).ok_or_else(|| {
            let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            unknown("port", asked, "causeway show ports", &names)
        })
    }

    /// The place in the model of the segment that is called `asked`, or has it as a number in either encapsulation.
    ///
    /// # Errors
    ///
    /// There is none: which ones there are.
    pub fn vni_called(&self, asked: &str) -> Result<usize, String> {
        let segments = &self.model.segments;
        let number = asked.parse().ok();
        let numbered = |vni: Option<Vni>| vni.is_some_and(|vni| Some(vni.value()) == number);
        let by_name = segments.iter().position(|segment| segment.name == asked);
        let by_number = || segments.iter().position(|segment| numbered(segment.vxlan) || numbered(segment.geneve));
        by_name.or_else(by_number).ok_or_else(|| {
            let names: Vec<&str> = segments.iter().map(|segment| segment.name.as_str()).collect();
            unknown("VNI", asked, "causeway show vnis", &names)
        })
    }

    /// The name of the port that is called `asked`.
    ///
    /// # Errors
    ///
    /// There is none: which ones there are.
    pub fn find_port(&self, asked: &str) -> Result<String, String> {
        self.port_called(asked).map(|index| self.model.ports[index].name.clone())
    }

    /// The name of the segment that is called `asked`, or has it as a number.
    ///
    /// # Errors
    ///
    /// There is none: which ones there are.
    pub fn find_vni(&self, asked: &str) -> Result<String, String> {
        self.vni_called(asked).map(|index| self.model.segments[index].name.clone())
    }

    /// The address of a VTEP, if there is one of it.
    ///
    /// # Errors
    ///
    /// There is none: which ones there are.
    pub fn find_vtep(&self, asked: IpAddr) -> Result<IpAddr, String> {
        let numbers = 0..self.plan.tables.endpoints.len() as u32;
        let mut known: Vec<IpAddr> = numbers.filter_map(|number| self.naming.endpoints.key(number)?.remote()).collect();
        if known.contains(&asked) {
            return Ok(asked);
        }
        known.sort_unstable();
        known.dedup();
        let names: Vec<String> = known.iter().map(IpAddr::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Err(unknown("VTEP", &asked.to_string(), "causeway show vteps", &names))
    }
}

/// The drop reason of a label.
///
/// # Errors
///
/// There is none: the nearest one.
pub fn find_reason(label: &str) -> Result<DropReason, String> {
    let found = DropReason::ALL.iter().find(|reason| reason.label() == label);
    found.copied().ok_or_else(|| {
        let labels: Vec<&str> = DropReason::ALL.iter().map(|reason| reason.label()).collect();
        unknown("drop reason", label, "causeway show drops --json", &labels)
    })
}

/// That there is no such thing; the nearest name, or all where they are few; and who lists them.
fn unknown(kind: &str, asked: &str, command: &str, names: &[&str]) -> String {
    let meant =
        nearest(asked, names.iter().copied()).map_or(String::new(), |name| format!(" (did you mean '{name}'?)"));
    let lists = match names {
        [] => format!("there are none: see '{command}'"),
        few if few.len() <= NAMES => format!("'{command}' lists them: {}", few.join(", ")),
        many => format!("'{command}' lists all {}", many.len()),
    };
    format!("there is no {kind} '{asked}'{meant}; {lists}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_hears_what_there_is() {
        let said = unknown("port", "up1", "causeway show ports", &["up0", "srv1"]);
        assert_eq!(said, "there is no port 'up1' (did you mean 'up0'?); 'causeway show ports' lists them: up0, srv1");
        let said = unknown("VNI", "77", "causeway show vnis", &["9"; 5000]);
        assert_eq!(said, "there is no VNI '77'; 'causeway show vnis' lists all 5000");
        let said = unknown("VTEP", "10.0.0.1", "causeway show vteps", &[]);
        assert_eq!(said, "there is no VTEP '10.0.0.1'; there are none: see 'causeway show vteps'");
        let said = find_reason("unknown-vlna").expect_err("no label");
        assert!(said.starts_with("there is no drop reason 'unknown-vlna' (did you mean 'unknown-vlan'?); "), "{said}");
        assert_eq!(find_reason("runt"), Ok(DropReason::Runt));
    }
}
