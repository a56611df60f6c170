//! Pictures of stories made by hand.
