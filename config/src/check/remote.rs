//! What is shared by all who name an encapsulation or a remote VTEP.

use std::net::IpAddr;

use crate::document::At;
use crate::reader::{Fields, Reader};
use crate::scalar;
use crate::types::Encap;

/// The words for the encapsulations.
pub(super) const ENCAPS: [(&str, Encap); 2] = [("vxlan", Encap::Vxlan), ("geneve", Encap::Geneve)];

/// A remote VTEP: its encapsulation may be the segment's.
#[derive(Clone, Copy)]
pub(super) struct RemoteDraft {
    pub(super) at: At,
    pub(super) address: IpAddr,
    pub(super) encap: Option<Encap>,
}

/// An address, or `{vtep: address, encap: geneve}`.
pub(super) fn read(reader: &Reader, at: At) -> Option<RemoteDraft> {
    if !reader.is_mapping(at) {
        let address = reader.read(at, scalar::unicast)?;
        return Some(RemoteDraft { at, address, encap: None });
    }
    let fields = reader.fields(at)?;
    fields.need("vtep", "give the address of the VTEP");
    let remote = of_fields(&fields);
    fields.done();
    remote
}

/// `vtep` and `encap` of a mapping.
pub(super) fn of_fields(fields: &Fields<'_>) -> Option<RemoteDraft> {
    let encap = fields.word("encap", &ENCAPS);
    let (address, at) = fields.read("vtep", scalar::unicast)?;
    Some(RemoteDraft { at, address, encap })
}
