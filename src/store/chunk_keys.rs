//! Sorted customer keys as bytes: distances in LEB128, one to three bytes a customer.

use crate::domain::customer::CustomerKey;

/// Writes ascending keys.
pub(super) fn encode(keys: &[CustomerKey]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(keys.len() * 2);
    let mut before = 0_i64;
    for key in keys {
        let mut distance = key.0.wrapping_sub(before).cast_unsigned();
        before = key.0;
        while distance >= 0x80 {
            bytes.push(distance.to_le_bytes()[0] | 0x80);
            distance >>= 7;
        }
        bytes.push(distance.to_le_bytes()[0]);
    }
    bytes
}

/// Reads what [`encode`] wrote; `None` if the bytes end within a key.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<CustomerKey>> {
    let mut keys = Vec::with_capacity(bytes.len());
    let (mut before, mut distance, mut shift) = (0_i64, 0_u64, 0_u32);
    for byte in bytes {
        distance |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 != 0 {
            shift += 7;
            continue;
        }
        before = before.wrapping_add(distance.cast_signed());
        keys.push(CustomerKey(before));
        (distance, shift) = (0, 0);
    }
    (shift == 0).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_back() {
        for keys in [vec![], vec![0], vec![1, 2, 300, 70_000, i64::MAX], vec![i64::MIN, -5, 0, 5]] {
            let keys: Vec<CustomerKey> = keys.into_iter().map(CustomerKey).collect();
            assert_eq!(decode(&encode(&keys)), Some(keys));
        }
    }

    #[test]
    fn neighbours_cost_a_byte_and_a_torn_key_is_noticed() {
        let keys: Vec<CustomerKey> = (1..=4096).map(CustomerKey).collect();
        assert_eq!(encode(&keys).len(), 4096);
        assert_eq!(decode(&[0x80]), None);
    }
}
