//! Sessions and who began them, from records written here.
