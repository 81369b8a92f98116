//! Explicit congestion notification through tunnels (RFC 6040).

/// Not ECN-capable.
pub const NOT_ECT: u8 = 0;
/// ECN-capable, codepoint 1.
pub const ECT1: u8 = 1;
/// ECN-capable, codepoint 0.
pub const ECT0: u8 = 2;
/// Congestion experienced.
pub const CE: u8 = 3;

/// The inner field after decapsulation (RFC 6040 figure 4); `None` when the packet must be dropped (ECN3).
#[inline]
pub const fn decapsulated(inner: u8, outer: u8) -> Option<u8> {
    match (inner & 3, outer & 3) {
        (NOT_ECT, CE) => None,
        (ECT0 | ECT1, CE) => Some(CE),
        (ECT0, ECT1) => Some(ECT1),
        (inner, _) => Some(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_figure_4_of_rfc_6040() {
        let table = [
            // Outer: Not-ECT, ECT(1), ECT(0), CE.
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
            (ECT0, [Some(ECT0), Some(ECT1), Some(ECT0), Some(CE)]),
            (CE, [Some(CE); 4]),
        ];
        for (inner, row) in table {
            for (outer, want) in row.into_iter().enumerate() {
                assert_eq!(decapsulated(inner, outer as u8), want, "inner {inner} outer {outer}");
            }
        }
    }
}
