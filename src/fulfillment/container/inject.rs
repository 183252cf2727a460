/// Says what a struct needs: its fields, and where each comes from.
///
/// | written | its value | its type |
/// | --- | --- | --- |
/// | `cache` | what is bound for its type | `Arc<T>` |
/// | `cache: optional` | the same, if anything is bound | `Option<Arc<T>>` |
/// | `primary: named` | what is bound for its type by the name `primary` | `Arc<T>` |
/// | `api_url: config` | the configuration key `api_url` | what can be read from a text |
///
/// ```
/// use connect_console::fulfillment::{Container, ContainerError};
/// use std::sync::Arc;
///
/// struct Tenant {
///     primary: Arc<String>,
///     seats: u32,
///     note: Option<Arc<str>>,
/// }
/// connect_console::inject!(Tenant { primary: named, seats: config, note: optional });
///
/// let container = Container::with(|bindings| {
///     bindings.bind::<String>().named("primary").instance(Arc::new("eu".into()));
///     bindings.config("SEATS", "12");
/// })?;
/// let tenant = container.make::<Tenant>()?;
/// assert_eq!((tenant.primary.as_str(), tenant.seats, tenant.note), ("eu", 12, None));
/// # Ok::<(), ContainerError>(())
/// ```
#[macro_export]
macro_rules! inject {
    (@ $needs:ident $field:ident) => { $needs.get()? };
    (@ $needs:ident $field:ident optional) => { $needs.find()? };
    (@ $needs:ident $field:ident named) => { $needs.named(stringify!($field))? };
    (@ $needs:ident $field:ident config) => { $needs.config(stringify!($field))? };
    ($type:ty { $($field:ident $(: $how:ident)?),* $(,)? }) => {
        impl $crate::fulfillment::FromContainer for $type {
            fn from_container(needs: &$crate::fulfillment::Needs<'_>) -> Result<Self, $crate::extension::HandlerError> {
                let _ = needs; // of a struct that needs nothing
                Ok(Self { $($field: $crate::inject!(@ needs $field $($how)?)),* })
            }
        }
    };
}
