//! The tags of a frame: `vlan: 10`, `vlan: untagged`, or `outer: 300` with `inner: 7`.

use crate::document::Kind;
use crate::reader::Fields;
use crate::types::{Tag, Vid};

/// What a mapping says about tags.
pub(super) enum Tags {
    /// Nothing.
    Absent,
    /// Something wrong, which has been noted.
    Wrong,
    /// This.
    These(Tag),
}

/// Reads `vlan`, `outer`, `inner` and `tpid` of a mapping.
pub(super) fn read(fields: &Fields<'_>) -> Tags {
    let (vlan, outer, inner) = (fields.get("vlan"), fields.get("outer"), fields.get("inner"));
    let service = fields.word("tpid", &[("802.1ad", true), ("802.1q", false), ("802.1Q", false)]);
    if let (Some(tpid), None) = (fields.get("tpid"), outer) {
        fields.reader.error(tpid, "'tpid' is of the outer tag of two", "remove it, or give 'outer' and 'inner'");
        return Tags::Wrong;
    }
    match (vlan, outer, inner) {
        (None, None, None) => Tags::Absent,
        (Some(at), None, None) => {
            if fields.reader.document.is_word(at, "untagged") {
                return Tags::These(Tag::Untagged);
            }
            vid(fields, "vlan").map_or(Tags::Wrong, |vid| Tags::These(Tag::Vlan(vid)))
        }
        (None, Some(_), Some(_)) => match (vid(fields, "outer"), vid(fields, "inner")) {
            (Some(outer), Some(inner)) => Tags::These(Tag::QinQ { outer, inner, service: service.unwrap_or(true) }),
            _ => Tags::Wrong,
        },
        (None, outer, _) => {
            let (there, missing) = if outer.is_some() { ("outer", "inner") } else { ("inner", "outer") };
            fields.missing(missing, &format!("two tags need both; for one tag write 'vlan' instead of '{there}'"));
            Tags::Wrong
        }
        (Some(at), _, _) => {
            fields.reader.error(
                at,
                "'vlan' with 'outer' or 'inner'",
                "use 'vlan' for one tag, or 'outer' and 'inner' for two",
            );
            Tags::Wrong
        }
    }
}

/// The VLAN of an underlay: a number, or `untagged` (the default).
pub(super) fn vid_or_untagged(fields: &Fields<'_>) -> Option<Vid> {
    let at = fields.get("vlan")?;
    if fields.reader.document.is_word(at, "untagged") { None } else { vid(fields, "vlan") }
}

/// A VLAN number, with a word on the numbers that look like one.
pub(super) fn vid(fields: &Fields<'_>, key: &'static str) -> Option<Vid> {
    let at = fields.get(key)?;
    match fields.reader.document.kind(at) {
        Kind::Scalar { text, plain: true } if text == "0" && key == "vlan" => fields.reader.refuse(
            at,
            "VLAN 0 is a priority tag, not a VLAN",
            "write 'vlan: untagged', which takes priority-tagged frames too",
        ),
        Kind::Scalar { text: "4095", plain: true } => {
            fields.reader.refuse(at, "VLAN 4095 is reserved (IEEE 802.1Q)", "use 1 to 4094")
        }
        _ => fields.int(key, "a VLAN", 1..=4094).and_then(Vid::new),
    }
}
