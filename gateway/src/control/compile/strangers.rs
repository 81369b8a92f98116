//! Strangers come and go without a compilation: nobody floods to them and no set has them as a member.

use super::hops::Underlay;
use super::{Naming, Plan};
use crate::control::ids::EndpointKey;
use crate::control::strangers::Strangers;
use crate::tables::{Endpoint, Sources, TunnelKey};

impl Plan {
    /// Gives new strangers a tunnel and takes it from those that are gone. The layout must be in the plan.
    pub fn admit(&mut self, underlay: &Underlay<'_>, strangers: &Strangers, naming: &mut Naming) {
        let gone: Vec<TunnelKey> = self.strangers.iter().copied().filter(|key| !strangers.contains(key)).collect();
        for key in gone {
            self.dismiss(key, naming);
        }
        for &key in strangers.iter().filter(|key| !self.tunnels.contains_key(key)).collect::<Vec<_>>() {
            self.tunnel(underlay, naming, key);
            self.strangers.insert(key);
        }
        self.tables.sources = Sources::default();
        let plain = self.tunnels.iter().filter(|(key, _)| key.vni.is_none());
        plain.for_each(|(&key, &endpoint)| self.tables.sources.insert(key, endpoint));
    }

    fn dismiss(&mut self, key: TunnelKey, naming: &mut Naming) {
        self.strangers.remove(&key);
        naming.endpoints.free(&EndpointKey::Tunnel(key));
        if let Some(endpoint) = self.tunnels.remove(&key) {
            let generation = naming.endpoints.next_generation(endpoint.0);
            self.tables.endpoints[endpoint.index()] = Endpoint { generation, ..Endpoint::default() };
            self.layout.endpoints[endpoint.index()] = None;
        }
        if !self.tunnels.keys().any(|other| other.remote == key.remote) {
            self.next_hops.remove(&key.remote);
        }
    }
}
