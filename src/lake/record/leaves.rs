//! The cells of a row. A file has many columns and a row few values, so a row stores only the values that
//! it has, each with the number of its column (leaf); the others are NULL. Struct columns (`useridentity`)
//! are never NULL themselves, so only the fields below them are leaves.

use std::sync::LazyLock;

use super::members::{MEMBERS, Member};
use super::shape::{Field, Shape};

/// A column, or a field of one, that can have a cell.
pub(in crate::lake) struct Leaf {
    /// Number of struct levels around it.
    pub depth: u8,
    pub shape: &'static Shape,
}

/// The column that the value of a slot belongs to.
pub(super) struct SlotTarget {
    /// Index in [`MEMBERS`].
    pub member: usize,
    /// The number of its leaf; `None` if its fields have leaves of their own.
    pub leaf: Option<u8>,
    /// Number of struct levels around it.
    depth: u8,
    pub field: &'static Field,
}

/// The leaf for what the columns cannot represent, a JSON object.
pub(super) static EXTRA: LazyLock<u8> = LazyLock::new(|| number(LEAVES.len() - 2));
/// The leaf for the record's whole text, where that matters.
pub(super) static ORIGINAL: LazyLock<u8> = LazyLock::new(|| number(LEAVES.len() - 1));

/// All leaves by number: those of [`MEMBERS`] in order, then [`EXTRA`] and [`ORIGINAL`].
pub(in crate::lake) static LEAVES: LazyLock<Vec<Leaf>> = LazyLock::new(|| {
    let leaves = SLOT_TARGETS
        .iter()
        .filter(|place| place.leaf.is_some())
        .map(|place| Leaf { depth: place.depth, shape: &place.field.shape });
    leaves.chain([(); 2].map(|()| Leaf { depth: 0, shape: &Shape::Text })).collect()
});

/// All slots by number.
pub(super) static SLOT_TARGETS: LazyLock<Vec<SlotTarget>> = LazyLock::new(|| {
    let (mut places, mut leaf) = (Vec::new(), 0);
    for (member, Member { field, .. }) in MEMBERS.iter().enumerate() {
        add_places(member, field, 0, &mut leaf, &mut places);
    }
    places
});

fn add_places(
    member: usize,
    field: &'static Field,
    depth: u8,
    leaf: &mut usize,
    places: &mut Vec<SlotTarget>,
) {
    if let Shape::Row(fields) = &field.shape {
        places.push(SlotTarget { member, leaf: None, depth, field });
        fields.iter().for_each(|field| add_places(member, field, depth + 1, leaf, places));
    } else {
        places.push(SlotTarget { member, leaf: Some(number(*leaf)), depth, field });
        *leaf += 1;
    }
}

/// A table with more leaves than a byte can number would need another row format; a test checks that.
fn number(leaf: usize) -> u8 {
    u8::try_from(leaf).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::record::value_slots::SLOTS_MAX;

    #[test]
    fn slots_and_leaves_can_be_numbered_and_stand_in_the_same_order() {
        assert!(LEAVES.len() < usize::from(u8::MAX) && SLOT_TARGETS.len() <= SLOTS_MAX);
        assert!(SLOT_TARGETS.iter().enumerate().all(|(slot, place)| place.field.slots.start == slot));
        let numbers: Vec<u8> = SLOT_TARGETS.iter().filter_map(|place| place.leaf).collect();
        assert_eq!(numbers, (0..*EXTRA).collect::<Vec<_>>());
        assert_eq!(usize::from(*ORIGINAL), LEAVES.len() - 1);
    }
}
