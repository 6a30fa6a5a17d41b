use super::Instance; pub(super) const ALL: &[Instance] = &[];
